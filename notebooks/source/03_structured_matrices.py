# %% [markdown] name="claim"
# # 03 Structured matrices: can a rule write the weights?
#
# A matrix of 784 x 784 numbers can be written with 784 of them, and multiplied in a small part of the time, if each row follows from the one above it.
# Here you find out which rules there are, from which size on they are faster, and what it costs a network to obey one.
# This is section II-C of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, explore, size, zoo
from labkit.course import check, hint
from labkit.structured import METHODS, BlockCirculant, Circulant, Fastfood, Monarch, ToeplitzLike

explore("LeNet-300-100", [method() for method in METHODS], knob=1)

# %% [markdown] name="look"
# ## Choose a structure, then guess
#
# Choose one method after the other, and look at the matrix: stripes, tiles, a weave. Each is the structured matrix **nearest** to the trained one. The last layer stays dense.
#
# Now guess **before** you run the next cell. Both large matrices of LeNet-300-100 get a structure called displacement rank 4, and nobody trains them again.
# How large is the file, and how many answers in a hundred are right? The diamond is your guess. Then drag to 4, and press *Fine-tune*.

# %% name="guess"
kilobytes, percent = 200, 80  # your guess here

panel = explore("LeNet-300-100", ToeplitzLike())
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## One column, all columns
#
# In a **circulant** matrix each column is the one before it, moved down by one: $C_{ij} = c_{(i-j) \bmod d}$. Such matrices share their eigenvectors, the Fourier basis,
# so that two FFTs multiply: $C x = \mathcal F^{-1}(\mathcal F c \odot \mathcal F x)$, in $O(d \log d)$. Random signs $D$ come first, $W = C D$ [@cheng2015], or else neighbouring
# outputs would hardly differ. The nearest circulant averages each wrapped diagonal. Here is a matrix of 5 x 5.

# %% name="five-by-five"
import torch

from labkit import adopt

torch.manual_seed(0)
tiny = adopt(torch.nn.Sequential(torch.nn.Linear(5, 5)))
circulant = Circulant().prepare(tiny).at(1)[0].weight
print("before\n", tiny[0].weight().detach().numpy().round(2))
print("first column", circulant.columns().detach().numpy().round(2), "signs", circulant.signs().tolist())
print("after\n", circulant().detach().numpy().round(2))

# %% [markdown] name="exercise-product"
# ## Exercise: the circulant product
#
# Write `circulant_product(c, x)`: `c` (d,) is the first column, `x` (n, d) holds n inputs as rows. Return the n outputs $C x$, (n, d), without ever forming $C$. `torch.fft.rfft` and `irfft` work along the last axis.

# %% name="product"
def circulant_product(c, x):
    ### BEGIN SOLUTION
    return torch.fft.irfft(torch.fft.rfft(c) * torch.fft.rfft(x), len(c))
    ### END SOLUTION

# %% name="check-product" points=2
### BEGIN HIDDEN TESTS
assert check("circulant product", circulant_product)
### END HIDDEN TESTS
check("circulant product", circulant_product)

# %% [markdown] name="exercise-gradient"
# ## Exercise: its gradient
#
# Training needs $\partial L / \partial c$ and $\partial L / \partial x$, and both are correlations: $\partial L/\partial c_m = \sum_{n,j} \delta_{n,(j+m) \bmod d}\, x_{nj}$ for the gradient $\delta$ of the outputs.
# In the Fourier basis a correlation is a product with a complex conjugate. Write `circulant_gradient(c, x, dy)`, which returns both.

# %% name="gradient"
def circulant_gradient(c, x, dy):
    ### BEGIN SOLUTION
    d, output = len(c), torch.fft.rfft(dy)
    dc = torch.fft.irfft((output * torch.fft.rfft(x).conj()).sum(0), d)
    return dc, torch.fft.irfft(output * torch.fft.rfft(c).conj(), d)
    ### END SOLUTION

# %% name="check-gradient" points=2
### BEGIN HIDDEN TESTS
assert check("circulant gradient", circulant_gradient)
### END HIDDEN TESTS
check("circulant gradient", circulant_gradient)

# %% [markdown] name="structures"
# ## Four more rules
#
# * **Block-circulant**: tiles of $b \times b$, each circulant: $n^2/b$ numbers [@ding2017].
# * **Toeplitz-like**: shift a Toeplitz matrix by one place and subtract, and hardly anything is left. That difference, $Z_1 M - M Z_{-1}$, is the **displacement**; if it has rank $r$, then $2rn$ numbers
# give $M = \frac12 \sum_i Z_1(g_i) Z_{-1}(h_i)$, with $Z_{\pm 1}$ circulant up to a sign [@sindhwani2015].
# * **Fastfood**: $S H G \Pi H B$, three learned diagonals around Hadamard transforms $H$: $3n$ numbers [@yang2015].
# * **Monarch**: two block-diagonal matrices with a permutation between them [@dao2022].
#
# Below, one layer alone. Choose **displacement** above the picture: what is its rank before and after?

# %% name="one-layer"
methods = [ToeplitzLike(), BlockCirculant(), Monarch(), Fastfood()]
explore("LeNet-300-100", methods, where="fc1").look("displacement")

# %% [markdown] name="time"
# ## From which size on is it faster?
#
# $O(n \log n)$ beats $O(n^2)$, but when? The plot fills in while you watch, one thread, each structure in turns with the dense matrix. What differs between one input and 256 at once?

# %% name="against-n"
from labkit.course.growth import against_n

results = against_n(budget_s=40)

# %% [markdown] name="exercise-pays"
# **Exercise: where it pays.** Return the smallest $n$ of the plot from which on the circulant is faster than dense on **this** machine, for batch 1 and for batch 256. The check measures at half and at twice your $n$.

# %% name="pays"
def pays():
    ### BEGIN SOLUTION
    return {1: 512, 256: 128}
    ### END SOLUTION

# %% name="check-pays" points=2
### BEGIN HIDDEN TESTS
assert check("where it pays", pays)
### END HIDDEN TESTS
check("where it pays", pays)

# %% [markdown] name="training"
# ## Structure has to be trained
#
# A trained matrix obeys no rule, so that the nearest one keeps next to nothing of it. Trained **under** the rule, the network finds its way. Below, two epochs for about 10,000 numbers in all, beside three
# **controls** of as many: two thin matrices, a sparse layer at random positions, and a dense network with fewer neurons. Does a rule help, or would any few numbers do?

# %% name="train"
from dataclasses import replace

from labkit.measure import accuracy
from labkit.structured.rivals import LowRank, Narrower, RandomSparse

pictures, mlp = data.load(), zoo.load("LeNet-300-100")
for method in (ToeplitzLike(), LowRank(), RandomSparse(), Narrower()):
    curve = method.prepare(mlp, pictures)
    for progress, trained in curve.train(4, pictures, replace(method.recipe, epochs=2)):
        pass
    before, after = accuracy(curve.at(4), pictures).value, accuracy(trained, pictures)
    print(f"{method.title}: {size(trained).total:,} bytes, {before:.1%}, trained {after}")

# %% [markdown] name="drawback"
# ## Which structure?
#
# The survey names two drawbacks. The constraint **biases** the model: at equal parameters, the accuracy depends on the rule, and on the task. And **nothing says which rule to take**. So try all that fit:
# each structure with at most 8,000 numbers in `fc1` is trained a little, the better half twice as long, the best half of that once more. A ranking after little training
# favours who learns fast: where would you distrust it?

# %% name="search"
from labkit.course.ranking import rank_structures

methods = [*(method() for method in METHODS), LowRank(), RandomSparse()]
ranking = rank_structures(methods, "fc1", budget=8_000)

# %% [markdown] name="exercise-budget"
# ## Exercise: a first layer within 16 KB
#
# `fc1` of LeNet-300-100 takes 942,000 bytes of the file. Return a method of this section and a value of its knob, such that `fc1` takes at most 16,000 bytes,
# and the network has at least 84 % of the validation pictures right after two epochs. The check trains, for about ten seconds.

# %% name="budget"
def first_layer():
    ### BEGIN SOLUTION
    return BlockCirculant(), 128
    ### END SOLUTION

# %% name="check-budget" points=2
### BEGIN HIDDEN TESTS
assert check("first layer within a budget", first_layer)
### END HIDDEN TESTS
check("first layer within a budget", first_layer)

# %% [markdown] name="published"
# ## What came after, and the papers' numbers beside ours
#
# **Monarch** gives up the FFT for what processors do best, products of small dense matrices, and has trained transformers faster [@dao2022]. Others let training choose the rule: learned displacement
# operators [@thomas2018], butterflies [@dao2019]. Long convolutions, which are Toeplitz matrices by FFT, now stand in the place of attention in some language models.
#
# The first table is the best argument for structure: on MNIST with noise behind the digits [@larochelle2007], Toeplitz-like layers leave low rank far behind at equal parameters, in the paper and here.
# But look at our control, the random sparse layer. Which claim does it weaken, and which not?

# %% name="tables"
from labkit.benchmark import structured as tables

display(tables.noise(), tables.fastfood(), tables.equal_parameters())

# %% [markdown] name="references"
# ## References
#
# {references}
