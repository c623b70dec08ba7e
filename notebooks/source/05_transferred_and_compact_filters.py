# %% [markdown] name="claim"
# # 05 Transferred and compact filters: can one filter stand for four?
#
# An edge is an edge, whichever way it runs. So a network may store one filter and use it in several copies: turned, shifted, with the opposite sign.
# Here you share filters, prove that a network turns with its picture, and find out where the assumption behind all this is too strong.
# This is section IV of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, explore, zoo
from labkit.course import check, hint
from labkit.filters import METHODS, P4, CReLU, DepthwiseSeparable, DoublyConvolutional, MultiBias, Thinner

explore("P4CNN", [P4(), CReLU(), MultiBias(), DoublyConvolutional()], data="MNIST-rotated", knob=1)

# %% [markdown] name="look"
# ## Drag to 4, then guess
#
# This network reads digits that are turned by any angle. Drag to 4: the file is four times smaller, and not one answer changes. It was **trained under a rule**: its filters come in fours,
# each a quarter turn from the one before, so three of them need not be stored. Choose another method: those rules it never obeyed.
#
# VGG below was trained freely, on clothes. **Before** you run the cell, guess: with each filter in four orientations, how large is its file, and how many answers in a hundred are right? The diamond is your guess.
# The pale lines were trained after sharing. Press *Fine-tune*, and watch how far it comes back.

# %% name="guess"
kilobytes, percent = 600, 50  # your guess here

panel = explore("VGG", [method() for method in METHODS], knob=1)
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## Turn the picture, and the maps turn
#
# A function $\Phi$ is **equivariant** if it does not matter whether you change the picture first or the maps afterwards: $T'\,\Phi(x) = \Phi(T x)$. Every convolution is so for shifts. For quarter turns,
# use each filter $F$ in its four orientations $\mathrm{rot}^r F$: when the picture turns, each map turns and hands its place to the next one [@cohen2016]. Here is a filter of 5 x 5,
# what its four copies make of a picture, and of the same picture turned.

# %% name="five-by-five"
import torch

from labkit.weights import Rotated

filters = torch.zeros(1, 1, 1, 5, 5)
filters[..., 0, :], filters[..., :, 0] = 1, 1
weight = Rotated(filters, 4)().detach()
print(filters[0, 0, 0].int().numpy(), "\nbecomes, turned once,\n", weight[1, 0].int().numpy())
picture = torch.zeros(1, 1, 5, 5)
picture[..., 0, :] = 1
for name, x in (("upright", picture), ("turned", torch.rot90(picture, 1, (2, 3)))):
    print(name, torch.conv2d(x, weight).flatten().int().tolist())

# %% [markdown] name="exercise-crelu"
# ## Exercise: nothing lost
#
# A ReLU drops what is negative, so networks learn many filters twice, with either sign. **CReLU** keeps both halves of one filter [@shang2016]. Write `crelu(z)`: for maps `z` (n, c, …) return (n, 2 c, …), the ReLU of $z$, then the ReLU of $-z$.


# %% name="crelu"
def crelu(z):
    ### BEGIN SOLUTION
    return torch.cat((torch.relu(z), torch.relu(-z)), dim=1)
    ### END SOLUTION


# %% name="check-crelu" points=2
### BEGIN HIDDEN TESTS
assert check("concatenated ReLU", crelu)
### END HIDDEN TESTS
check("concatenated ReLU", crelu)

# %% [markdown] name="exercise-lifting"
# ## Exercise: a layer that is equivariant
#
# Write `lift(filters)`: for filters (n, in, k, k) return the weight (4 n, in, k, k) of a **lifting layer**, in which the four orientations of a filter stand beside each other, each a quarter turn further.
# The check draws filters and pictures, and proves the equation on them to float precision.


# %% name="lifting"
def lift(filters):
    ### BEGIN SOLUTION
    turned = [torch.rot90(filters, r, (2, 3)) for r in range(4)]
    return torch.stack(turned, 1).flatten(0, 1)
    ### END SOLUTION


# %% name="check-lifting" points=2
### BEGIN HIDDEN TESTS
assert check("lifting layer", lift)
### END HIDDEN TESTS
check("lifting layer", lift)

# %% [markdown] name="turn"
# ## Turn a picture by hand
#
# A plain network and an equivariant one, about as many numbers in each. The upper maps were turned afterwards, the lower ones are those of the turned picture. Stop at 90°: which two rows are equal? Stop at 45°: what does p4 promise there?

# %% name="turn-by-hand"
from labkit.course.turning import turn_by_hand

plain = zoo.load("Z2CNN", "MNIST-rotated")
equivariant = P4().prepare(zoo.load("P4CNN", "MNIST-rotated")).at(4)
turning = turn_by_hand({"Z2CNN": (plain, 1), "P4CNN": (equivariant, 4)}, layers=("relu2", "relu4", "relu6"))

# %% [markdown] name="more"
# ## Four more ways
#
# * **Multi-bias activation**: one filter, cut at several heights: $y_k = \max(0, W x + \delta_k)$ [@li2016].
# * **Doubly convolutional**: one larger filter, and every window of it is a filter [@zhai2016].
# * **Fire modules**: 1 x 1 filters squeeze the maps into a few, 1 x 1 and 3 x 3 filters read those [@iandola2016].
# * **Depthwise separable**: one 3 x 3 filter for each map, then 1 x 1 filters that mix the maps: $\frac{1}{\mathrm{out}} + \frac{1}{k^2}$ of the multiplications [@howard2017].
#
# The first two share filters. The last two are **compact designs**: drawn anew, so that only training makes them good. Below, the first layer alone: each strip is the orbit of one stored filter.

# %% name="one-layer"
explore("VGG", [P4(), CReLU(), MultiBias(), DoublyConvolutional()], where="conv1", knob=4)

# %% [markdown] name="exercise-points"
# ## Exercise: where 1 x 1 filters lose
#
# Compact designs leave nearly all to 1 x 1 filters. Return two pictures (uint8, 28 x 28; `data.load().validation.images[1, 0]` is one) that no network of 1 x 1 filters and a mean over all places can tell apart, while VGG calls them by different names.


# %% name="points"
def two_pictures():
    ### BEGIN SOLUTION
    picture = data.load().validation.images[1, 0]
    return picture, torch.rot90(picture, 1, (0, 1))
    ### END SOLUTION


# %% name="check-points" points=2
### BEGIN HIDDEN TESTS
assert check("where 1 x 1 filters lose", two_pictures)
### END HIDDEN TESTS
check("where 1 x 1 filters lose", two_pictures)

# %% [markdown] name="training"
# ## Does the rule help, or would any few numbers do?
#
# Two epochs on turned digits, from nothing. The **control** is a plain network with about as many numbers. Which one would you bet on?

# %% name="rivals"
from labkit import adopt
from labkit.measure import accuracy, parameters
from labkit.train import Recipe

rivals = {"Z2CNN": (Thinner(), 1), "P4CNN": (P4("random"), 4)}


# %% name="train"
def compare(pictures):
    for network, (method, value) in rivals.items():
        torch.manual_seed(0)
        curve = method.prepare(adopt(zoo.build(network)), pictures)
        for progress, trained in curve.train(value, pictures, Recipe(epochs=2)):
            pass
        print(f"{network}: {parameters(trained):,} numbers, {accuracy(trained, pictures)}")


compare(data.load("MNIST-rotated"))

# %% [markdown] name="drawback"
# ## Too strong an assumption
#
# The survey names two drawbacks. One: the assumption may be **too strong**. A network that gives a turned picture the same answer cannot use which way is up. Below, the same two networks learn from 2,000 digits that stand upright, all of them 6 or 9.
#
# The other: sharing works on **wide, flat** networks such as VGG, less on narrow ones such as ResNet. Find both in the tables at the end.

# %% name="six-and-nine"
compare(data.load("MNIST").only(6, 9).few(2_000))

# %% [markdown] name="exercise-macs"
# ## Exercise: an eighth of the multiplications
#
# Which of these methods makes a network faster, and not only its file smaller? Return a method of this section and a value of its knob with which VGG takes at least 8 times fewer multiplications,
# and loses at most 1.5 points to the plain VGG. Both were trained for two epochs from scratch; the check looks these runs up.


# %% name="macs"
def smaller():
    ### BEGIN SOLUTION
    return DepthwiseSeparable(), 0.875
    ### END SOLUTION


# %% name="check-macs" points=2
### BEGIN HIDDEN TESTS
assert check("eight times fewer multiplications", smaller)
### END HIDDEN TESTS
check("eight times fewer multiplications", smaller)

# %% [markdown] name="published"
# ## What came after, and the papers' numbers beside ours
#
# Depthwise filters are in nearly every small network since. Equivariance went on to all angles, to three dimensions and to molecules. Large networks often turn their training pictures instead.
#
# In the first table, compare each method with the *plain* network of as many numbers: what is left of the gain, wide and narrow? In the last one, compare compact designs with fewer plain filters
# at as many multiplications. Which claims do such small pictures not test?

# %% name="tables"
from labkit.benchmark import filters as tables

display(tables.table_three(), tables.rotated(), tables.upright(), tables.compact())

# %% [markdown] name="references"
# ## References
#
# {references}
