# %% [markdown] name="claim"
# # 04 Low-rank factorization: which directions can go?
#
# A layer of 784 x 300 numbers does much the same with two thin ones of 784 x 64 and 64 x 300, a third of the numbers and of the work.
# Here you find out when that pays, what a convolution falls apart into, who should get which rank, and why half the multiplications are not half the time.
# This is section III of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, explore, size, zoo
from labkit.course import check, hint
from labkit.lowrank import CP, METHODS, SVD, Spatial, Tucker2

explore("VGG", [method() for method in METHODS], knob=16)

# %% [markdown] name="look"
# ## Move the slider, then guess
#
# Each rank is cut from one factorisation that was prepared before. The spectrum shows what is cut off. Choose **filters** above it: what do they lose first?
#
# Now guess **before** you run the next cell. LeNet-300-100 keeps rank 16 in each layer, and nobody trains it again.
# How large is the file, and how many answers in a hundred are right? The diamond is your guess. Then drag to 16.

# %% name="guess"
kilobytes, percent = 500, 85  # your guess here

panel = explore("LeNet-300-100", SVD())
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## Two thin matrices
#
# Every matrix is $W = U\,\mathrm{diag}(s)\,V^T$, with singular values $s_1 \ge s_2 \ge \dots$ Keep the $r$ largest: no matrix of rank $r$ is nearer to $W$ [@eckart1936],
# and the squared error is the sum of the $s_i^2$ cut off. A share of $\sum_{i \le r} s_i^2$ stays, called the **energy**. The layer then multiplies by two thin matrices,
# $y = U_r (V_r x)$, with $r(m+n)$ numbers for $mn$ [@denton2014]. Here is a matrix of 5 x 5 at rank 2.

# %% name="five-by-five"
import torch

from labkit import adopt

torch.manual_seed(0)
tiny = adopt(torch.nn.Sequential(torch.nn.Linear(5, 5)))
thin = SVD().prepare(tiny).at(2)[0].weight
print("before\n", tiny[0].weight().detach().numpy().round(2))
print("u\n", thin.u().detach().numpy().round(2), "\nv\n", thin.v().detach().numpy().round(2))
print("after\n", thin().detach().numpy().round(2))

# %% [markdown] name="exercise-break-even"
# ## Exercise: the break-even rank
#
# Write `largest_rank(out, inside, d)`: the largest rank at which two factors hold **fewer** numbers than the layer. A matrix (`d` is 1) falls apart into `inside` x r and r x `out`.
# A convolution of `out` filters, `inside` channels and d x d pixels falls apart into r vertical filters of `inside` x d, then `out` horizontal ones of r x d.

# %% name="break-even"
def largest_rank(out, inside, d):
    ### BEGIN SOLUTION
    return (out * inside * d - 1) // (out + inside)
    ### END SOLUTION

# %% name="check-break-even" points=2
### BEGIN HIDDEN TESTS
assert check("break-even rank", largest_rank)
### END HIDDEN TESTS
check("break-even rank", largest_rank)

# %% [markdown] name="control"
# ## Control: is it the subspace, or just fewer numbers?
#
# Two **controls** at the same rank: a random subspace instead of the best one, and the trained matrix with its entries shuffled. Both have as many numbers.
# A shuffled matrix has the same histogram, and yet hardly anything to cut.

# %% name="random"
from labkit.course.controls import shuffled_entries
from labkit.lowrank.rivals import RandomSubspace
from labkit.lowrank.spectrum import energy
from labkit.measure import accuracy

pictures, mlp = data.load(), zoo.load("LeNet-300-100")
weights = [network.fc1.weight().detach() for network in (mlp, shuffled_entries(mlp))]
for rank in (16, 32, 64):
    kept = [energy(torch.linalg.svdvals(w), rank) for w in weights]
    best, chance = (method.prepare(mlp).at(rank) for method in (SVD(), RandomSubspace()))
    print(f"rank {rank}: energy {kept[0]:.0%}, shuffled {kept[1]:.0%}, random {rank / 300:.0%}; ", end="")
    print(f"accuracy {accuracy(best, pictures).value:.1%}, random subspace {accuracy(chance, pictures).value:.1%}")

# %% [markdown] name="spatial"
# ## A convolution by columns, then by rows
#
# A kernel has four axes, and so there is more than one matrix to cut. Jaderberg turns each convolution into a **vertical** one and a **horizontal** one [@jaderberg2014]:
#
# $$W_{o,i,y,x} \approx \sum_{r} h_{o,r,x}\, v_{r,i,y}$$
#
# The best pair is a closed form [@tai2016]: one SVD of the kernel as a matrix whose rows are $(i, y)$ and whose columns are $(o, x)$. Below, one layer alone, four ways.
#
# **Exercise: spatial factors.** In the cell after the panel, write `spatial(kernel, rank)`, which returns `vertical` (rank, in, height) and `horizontal` (out, rank, width).

# %% name="one-layer"
explore("VGG", [Spatial(), SVD(), Tucker2(), CP()], where="conv4", knob=16).look("filters")

# %% name="spatial-factors"
def spatial(kernel, rank):
    ### BEGIN SOLUTION
    out, inside, height, width = kernel.shape
    matrix = kernel.permute(1, 2, 0, 3).reshape(inside * height, out * width)
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    root = s[:rank].sqrt()
    vertical = (u[:, :rank] * root).T.reshape(rank, inside, height)
    return vertical, (root[:, None] * v[:rank]).reshape(rank, out, width).movedim(0, 1)
    ### END SOLUTION

# %% name="check-spatial" points=2
### BEGIN HIDDEN TESTS
assert check("spatial factors", spatial)
### END HIDDEN TESTS
check("spatial factors", spatial)

# %% [markdown] name="tensors"
# ## Tensors: two ranks, or none
#
# **Tucker-2** mixes few channels out of the inputs, convolves between few channels, and mixes the outputs from them [@kim2016]. Nobody has to choose the ranks:
# **VBMF** takes each unfolded kernel for a signal plus noise, and finds how much is signal [@nakajima2013]. **CP** writes a kernel as a sum of $R$ outer products [@lebedev2015].
# But a best sum of $R$ need not exist [@silva2008]: in the first lines below, two terms grow against each other without end, while the error falls to nothing.

# %% name="ranks"
from labkit.lowrank.als import approach, combine, degeneracy, no_best
from labkit.lowrank.vbmf import vbmf

tensor = no_best()
for n in (1, 10, 100, 1000):
    terms = approach(n)  # two of them
    error = (combine(terms) - tensor).norm() / tensor.norm()
    print(f"error {error:.0e}, sizes of the terms {degeneracy(terms, tensor):,.0f} times the tensor")
kernel = zoo.load("VGG").conv4.weight().detach()
for name, matrix in {"outputs": kernel.flatten(1), "inputs": kernel.transpose(0, 1).flatten(1)}.items():
    print(f"VBMF keeps {vbmf(matrix).rank} of {len(matrix)} {name}")

# %% [markdown] name="exercise-disagree"
# ## Exercise: the error is not the accuracy
#
# Find two cuts of VGG, one layer at a time. The first has a **large** relative error, $\lVert W - W_r\rVert / \lVert W \rVert \ge 50$ %, and loses at most half a point.
# The second has a **small** one, at most 35 %, and loses ten points or more. A cut is a layer and a rank of the SVD. The panel above helps: choose a layer under **where**.

# %% name="disagree"
def disagree():
    ### BEGIN SOLUTION
    return ("fc1", 16), ("conv1", 6)
    ### END SOLUTION

# %% name="check-disagree" points=2
### BEGIN HIDDEN TESTS
assert check("error and accuracy disagree", disagree)
### END HIDDEN TESTS
check("error and accuracy disagree", disagree)

# %% [markdown] name="budget"
# ## One budget for all layers
#
# The survey's complaint: layers are treated **one by one**, so nothing is compressed globally. We can do better. Cut each layer alone, **measure** by how much the loss rises,
# and buy the ranks that save the most loss for their bytes. Beside it stand three rules that look at no picture: the same rank, the same energy, the same share for every layer. Which is the hardest to beat?
#
# **Exercise: share out the ranks.** In the cell after the panel, write `share(costs, losses, limit)`. Both dictionaries map a layer to {rank: bytes} and {rank: rise of the loss}.
# Return {layer: rank} that costs at most `limit` in all, and loses as little as you can. The check sets your network beside the one of equal energy.

# %% name="budget-panel"
from labkit.lowrank import Budget

explore("VGG", [Budget(share=rule) for rule in ("loss", "rank", "energy", "ratio")], knob=0.2, beside=True)

# %% name="share"
def share(costs, losses, limit):
    ### BEGIN SOLUTION
    ranks = {layer: max(choices) for layer, choices in costs.items()}
    while sum(costs[layer][rank] for layer, rank in ranks.items()) > limit:
        def price(step):  # of one step down: the loss for each byte saved
            layer, rank = step
            saved = costs[layer][ranks[layer]] - costs[layer][rank]
            return (losses[layer][rank] - losses[layer][ranks[layer]]) / saved
        steps = [(layer, rank) for layer in costs for rank in costs[layer] if rank < ranks[layer]]
        layer, rank = min(steps, key=price)
        ranks[layer] = rank
    return ranks
    ### END SOLUTION

# %% name="check-share" points=2
### BEGIN HIDDEN TESTS
assert check("share out the ranks", share)
### END HIDDEN TESTS
check("share out the ranks", share)

# %% [markdown] name="time"
# ## Half the multiplications, half the time?
#
# Count, then time. Thin convolutions read and write as many pictures as thick ones, and there are more of them. Which of these rows keeps its promise?
# And the factors have a price before: the survey's second complaint is that **decompositions are expensive**. The second table lets layers grow.

# %% name="speed"
from labkit.lowrank.cost import cost
from labkit.lowrank.speed import cut_to, speed

vgg = zoo.load("VGG")
networks = {"dense": vgg, "CP decomposition, rank 32": CP().prepare(vgg).at(32)}
for method in (SVD(), Spatial(), Tucker2()):
    rank, network = cut_to(method.prepare(vgg), pictures.image_shape, 0.5)
    networks[f"{method.title}, rank {rank}"] = network
display(speed(networks, pictures.image_shape), cost(budget_s=5))

# %% [markdown] name="training"
# ## How much does training bring back?
#
# The survey's third complaint: low rank **needs much retraining**. Factors are weights like any others, so they can be trained as they are. Rank 16 of LeNet-300-100,
# and the **control** from a random subspace, get three epochs each. How much does the start still matter? Press *Fine-tune* in any panel for the same with the curve moving.

# %% name="train"
from labkit.train import Recipe

for method in (SVD(), RandomSubspace()):
    curve = method.prepare(mlp)
    for progress, trained in curve.train(16, pictures, Recipe(epochs=3, learning_rate=0.02)):
        pass
    before, after = accuracy(curve.at(16), pictures).value, accuracy(trained, pictures)
    print(f"{method.title}: {size(trained).total:,} bytes, {before:.1%}, trained {after}")

# %% [markdown] name="published"
# ## What came after, and the papers' numbers beside ours
#
# An SVD weighs all inputs alike. **Activation-aware** SVD asks what the layer reads [@zhang2015] and keeps the main directions of its **outputs**: the eigenvectors of
# $W G W^T$ with $G$ the mean of $x x^T$. Today it cuts language models [@wang2025]. The panel shows all three choices of a subspace: the best for the weights, for the outputs, and none.

# %% name="activation"
from labkit.lowrank import ActivationSVD

explore("LeNet-300-100", [ActivationSVD(), SVD(), RandomSubspace()], knob=16, beside=True)

# %% name="tables"
from labkit.benchmark import lowrank as tables

display(tables.table_two(), tables.tucker(), tables.retraining())

# %% [markdown] name="references"
# ## References
#
# {references}
