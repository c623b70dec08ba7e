# %% [markdown] name="claim"
# # 02 Pruning and sharing: which weights can go?
#
# Nine weights in ten can go, and the network hardly notices, if they are the right ones. Here you find out which, how to ask the loss,
# why zeros alone make nothing faster, and how a network of a megabyte fits into five kilobytes.
# This is section II-B of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, explore, size, zoo
from labkit.course import check, hint
from labkit.pruning import Magnitude, OptimalBrainDamage, OptimalBrainSurgeon, Random

criteria = [Magnitude(), OptimalBrainDamage(), OptimalBrainSurgeon(), Random()]
explore("LeNet-300-100", criteria, knob=0.8, beside=True)

# %% [markdown] name="look"
# ## Move the slider, then guess
#
# Four criteria decide which weights go, and all four points move with the slider. Where do they part? Choose **mask** above the second picture:
# at which pixels does the network still look?
#
# Now guess **before** you run the next cell. LeNet-5 keeps one weight in twenty, those with the largest magnitudes, and nobody trains it again.
# How large is the file, and how many answers in a hundred are right? The diamond is your guess. Then drag to 95 %.

# %% name="guess"
kilobytes, percent = 300, 80  # your guess here

panel = explore("LeNet-5", Magnitude())
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## A mask and a list
#
# Pruning multiplies each weight by a mask, $\hat w = w \cdot m$ with $m \in \{0, 1\}$. The file lists the weights that are left and the gaps between their positions.
# The simplest mask keeps the largest magnitudes, $m = [\,|w| > t\,]$ [@han2015]. The **sparsity** is the share of zeros. Here is a matrix of 5 x 5 with 15 zeros.

# %% name="five-by-five"
import torch

from labkit import adopt

torch.manual_seed(0)
tiny = adopt(torch.nn.Sequential(torch.nn.Linear(5, 5)))
sparse = Magnitude().prepare(tiny).at(0.6)[0].weight
print("before\n", tiny[0].weight().detach().numpy().round(2))
print("positions", sparse.positions.tolist())
print("after\n", sparse().detach().numpy().round(2))

# %% [markdown] name="exercise-threshold"
# ## Exercise: one threshold
#
# Must each layer lose the same share? Write `masks(weights, sparsity)` for a list of layers: the `round(sparsity * n)` smallest magnitudes go, where $n$ counts the weights
# of all layers together. Return a list of masks, true where a weight stays.

# %% name="threshold"
def masks(weights, sparsity):
    ### BEGIN SOLUTION
    together = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(sparsity * len(together))
    cut = together.sort().values[count - 1] if count else -1
    return [weight.abs() > cut for weight in weights]
    ### END SOLUTION

# %% name="check-threshold" points=2
### BEGIN HIDDEN TESTS
assert check("one threshold", masks)
### END HIDDEN TESTS
check("one threshold", masks)

# %% [markdown] name="loss"
# ## Ask the loss
#
# A small weight may matter, and a large one may not. Near a minimum the loss rises by $\frac12 d^T H d$ when the weights change by $d$.
# Optimal Brain Damage keeps the diagonal of $H$ alone [@lecun1990]: cutting weight $i$ costs $s_i = h_{ii} w_i^2 / 2$. Optimal Brain Surgeon inverts all of $H$ [@hassibi1993]:
#
# $$L_q = \frac{w_q^2}{2\,[H^{-1}]_{qq}}, \qquad \delta w = -\frac{w_q}{[H^{-1}]_{qq}}\, H^{-1} e_q$$
#
# So the weights that stay **make up** for the one that goes. For a whole network $H$ is too large. Layer by layer it is small [@dong2017]: with $H$ the mean of $x x^T$ over the layer's inputs $x$,
# it keeps the layer's output. Below is one layer alone. How much does the compensation win at 95 %?
#
# **Exercise: saliency.** In the cell after the panel, write `saliency(weight, curvature)`: what cutting each weight costs by Optimal Brain Damage, in the shape of `weight`.

# %% name="one-layer"
explore("LeNet-300-100", [OptimalBrainSurgeon(), Magnitude("layer")], where="fc1", knob=0.95, beside=True)

# %% name="saliency"
def saliency(weight, curvature):
    ### BEGIN SOLUTION
    return 0.5 * curvature * weight**2
    ### END SOLUTION

# %% name="check-saliency" points=2
### BEGIN HIDDEN TESTS
assert check("OBD saliency", saliency)
### END HIDDEN TESTS
check("OBD saliency", saliency)

# %% [markdown] name="settings"
# ## Every layer needs its own setting
#
# The survey's complaint is that **each criterion needs a sensitivity for each layer, set by hand**. The view **sensitivity** prunes one layer at a time and draws
# a line for each, while you watch. Which one gives in first?
#
# Three ways to settle it, all with 91 to 93 % zeros: shares by hand, near the paper's [@han2015]; from the scan, the strongest value of each layer at which it
# loses no more than the others do; one threshold for all. Equal shares stand beside them. The scan sees each layer **alone**; pruned together, their errors meet.

# %% name="scan"
explore("LeNet-5", Magnitude(), knob=0.9).look("sensitivity")

# %% name="three-settings"
from labkit.measure import accuracy
from labkit.sensitivity import balanced, by_layer, collect, scan, strongest

model, pictures = zoo.load("LeNet-5"), data.load()
curves = collect(scan(model, Magnitude(), pictures))
settings = {"by hand": {"conv1": 0.3, "conv2": 0.85, "fc1": 0.92, "fc2": 0.8}}
settings["from the scan"] = strongest(curves, balanced(curves, model, 0.91))
settings["equal"] = dict.fromkeys(curves, 0.92)
networks = {name: by_layer(model, Magnitude(), setting) for name, setting in settings.items()}
networks["one threshold"] = Magnitude().prepare(model).at(0.92)
for name, network in networks.items():
    print(f"{name:15}{size(network).total:>8,} bytes, {accuracy(network, pictures)}")

# %% [markdown] name="exercise-damage"
# ## Exercise: why does it hurt this layer more?
#
# Write `damage(before, after, gram)`: which share of a layer's output, in squares, pruning destroys. Weights are matrices of (out, in), and $G$, of (in, in), is the mean of $x x^T$:
# a change $D$ of the weights changes the output by $\sum_{ij} D_{ij} (D G)_{ij}$ on average. Divide by the same of the weights before. The check sets it beside the points that each layer really costs.

# %% name="damage"
def damage(before, after, gram):
    ### BEGIN SOLUTION
    change = after - before
    return (change * (change @ gram)).sum() / (before * (before @ gram)).sum()
    ### END SOLUTION

# %% name="check-damage" points=2
### BEGIN HIDDEN TESTS
assert check("damage to a layer", damage)
### END HIDDEN TESTS
check("damage to a layer", damage)

# %% [markdown] name="filters"
# ## Zeros save no time, filters do
#
# A dense kernel multiplies by zero as slowly as by any other number. A list of positions (CSR) skips zeros, but pays only in large, very sparse matrices.
# A filter that is **gone** saves its own products, the next layer's products with its map, and memory [@li2017]. Its score is $\sum |F_j|$.
# Where a residual connection adds two layers up, their filters go in pairs. Below, removed filters are crossed out.

# %% name="filter-panel"
from labkit.pruning import FilterPruning, StructuredSparsity

explore("ResNet-20", [FilterPruning(), StructuredSparsity()], knob=0.1)

# %% name="speed"
from labkit.pruning.filters import prune_filters
from labkit.pruning.speed import speed

thin = FilterPruning().prepare(model, pictures).at(0.5)
speed(model, Magnitude().prepare(model).at(0.95), thin, pictures.image_shape)

# %% [markdown] name="exercise-budget"
# ## Exercise: fewer multiplications
#
# Write `thinner(model)` for LeNet-5: at most **1,750,000** multiplications for a picture (of 2,293,000), at most **1 point** lost on the validation pictures, no training.
# `prune_filters(model, {"conv1": 18}, pictures.image_shape)` keeps the 18 strongest filters of conv1. Equal shares are not good enough.

# %% name="budget"
def thinner(model):
    ### BEGIN SOLUTION
    return prune_filters(model, {"conv1": 16, "conv2": 44}, pictures.image_shape)
    ### END SOLUTION

# %% name="check-budget" points=2
### BEGIN HIDDEN TESTS
assert check("fewer multiplications", thinner)
### END HIDDEN TESTS
check("fewer multiplications", thinner)

# %% [markdown] name="training"
# ## Prune, train, prune again
#
# Training after pruning wins most of the loss back, and small steps win more: in rounds, the survivors of one cut train before the next [@han2015].
# Is it the **mask**, or the weights in it? Two **controls**, trained alike: as many weights at random places, and the mask with fresh weights [@frankle2019].

# %% name="train"
from labkit.course.controls import random_mask, reinitialised
from labkit.pruning import PruneRetrain

mlp, sparsity = zoo.load("LeNet-300-100"), 0.98
cut = Magnitude().prepare(mlp).at(sparsity)
starts = {"one cut": cut, "random mask": random_mask(cut, mlp), "fresh weights": reinitialised(cut)}
curves = {name: (Magnitude().prepare(start), 0) for name, start in starts.items()}
curves["in rounds"] = PruneRetrain().prepare(mlp), sparsity
for name, (curve, value) in curves.items():
    for progress, trained in curve.train(value, pictures, PruneRetrain.recipe):
        pass
    print(f"{name:14}{accuracy(curve.at(value), pictures).value:.1%}, trained {accuracy(trained, pictures)}")

# %% [markdown] name="sharing"
# ## Sharing
#
# Weights that are left can share values. **HashedNets** [@chen2015] decide by a hash which ones do, before training: nothing but the shared values is stored.
# **Soft weight-sharing** [@ullrich2017] lets a mixture of Gaussians pull weights together, one of them at zero, while training. **Deep Compression** [@han2016] prunes,
# clusters what is left, and gives frequent codes and gaps short codewords. *Fine-tune* each.

# %% name="sharing-panel"
from labkit.pruning import DeepCompression, HashedNets, SoftWeightSharing

explore("LeNet-300-100", [DeepCompression(), SoftWeightSharing(), HashedNets()], data="MNIST", knob=0.8)

# %% [markdown] name="published"
# ## What regularising costs, and the papers' numbers beside ours
#
# Structured sparsity learning [@wen2016] shrinks filters **while** it trains, by a penalty on their norms, and removes them then. The survey's second **drawback**:
# that **needs more epochs** for the same sparsity, in the first table about twice as many.
#
# Our smallest files come with the lab, every byte counted. Against a better original, "without loss" is harder.
# The third table sets the paper's file format, 5-bit gaps with filler zeros, beside ours.

# %% name="tables"
from labkit.benchmark import pruned, smallest
from labkit.pruning.gaps import compare

small = DeepCompression(bits=6).prepare(zoo.load("LeNet-300-100", "MNIST")).at(0.92)
display(pruned.epochs(), smallest.table(), compare(small), pruned.han(), pruned.hashed())

# %% [markdown] name="next"
# ## What came after
#
# LAMP [@lee2021] shares sparsity out among layers by itself. Language models are pruned in one shot, much as Optimal Brain Surgeon does; graphics cards multiply faster
# where two of four weights are zero. Why factors of different papers do not compare fills a paper of its own [@blalock2020].
#
# ## References
#
# {references}
