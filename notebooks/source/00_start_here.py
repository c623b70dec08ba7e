# %% [markdown] name="claim"
# # 00 Start here: compress a network while you watch
#
# A trained network is a long list of numbers, and most of them could be much simpler. Here you make such a network many times
# smaller, watch what that does to its answers, and find the point where it breaks.
#
# Nothing below is prepared: each time you move a slider, a real network is compressed, saved and tested again on this machine.
# It takes about 15 minutes. Run a cell with Shift + Enter, from top to bottom.

# %% name="set-up"
from labkit import data, explore, load, measure, save, size, zoo

# %% name="panel"
explore("LeNet-5")

# %% [markdown] name="look"
# ## Move the slider
#
# The network is LeNet-5. It looks at small pictures of clothes, Fashion-MNIST, and says which of ten kinds each one is.
# Drag the slider, or click it and use the arrow keys. Four views follow:
#
# - **accuracy against size**: the star is the original, the large dot is where you are, and your way there stays visible
# - **what the method did**: here, all weights of one layer, and the few values that they now share
# - **where the bytes go**: each layer's part of the saved file
# - **pictures that flipped**: right before, wrong now. Would you have known them?
#
# At how many bits does it break? Then choose another method in the panel, and look for its breaking point.

# %% [markdown] name="predict"
# ## Guess first
#
# The next panel removes weights: the smallest ones become zero. Imagine that nine of ten weights are gone. How large is the file then,
# and how many answers in a hundred are still right? Write your guess into the cell **before** you run it.
# It becomes a diamond in the plot. Then drag to 90 %, and see how far off you were.

# %% name="guess"
from labkit.pruning import Magnitude

kilobytes, percent = 500, 50  # your guess here

panel = explore("LeNet-5", Magnitude())
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="map"
# ## The map
#
# In 2018 Cheng and others surveyed the whole field [@cheng2018] and sorted it into four themes, with a few approaches beside them.
# This course follows them, one notebook at a time. They can be combined, and you will do that in a minute.

# %% name="survey-map"
from labkit.course import check, hint, survey_map

survey_map()

# %% [markdown] name="three-methods"
# Your three sliders come from three of these notebooks.
#
# | slider | method | what it keeps |
# |---|---|---|
# | bits | k-means codebook [@gong2014] | a few shared values, and for each weight the number of its value |
# | sparsity | magnitude pruning [@han2015] | the large weights, and where they stand |
# | rank | truncated SVD [@denton2014] | two thin matrices instead of a large one |
#
# ## Size is a file
#
# A network with 90 % zeros is not small. It is only small once somebody has written it down cleverly. So here size means one thing:
# **save the network, and count the bytes of the file**. The file must load again and give the same outputs, bit for bit.

# %% name="size"
import os

import torch

model, pictures = zoo.load("LeNet-5"), data.load("FashionMNIST")
pruned = Magnitude().prepare(model).at(0.9)
save(pruned, "pruned.safetensors")
again = load("pruned.safetensors")
x = pictures.normalise(pictures.validation.images[:100])
print(f"original {size(model).total:,} bytes, pruned {os.path.getsize('pruned.safetensors'):,} bytes")
print("same outputs after loading:", torch.equal(pruned(x), again(x)))
os.remove("pruned.safetensors")

# %% [markdown] name="accuracy"
# ## Accuracy is an estimate
#
# Accuracy is the share of right answers, and it depends on which pictures you happened to ask. So it comes with an interval:
# made like this from 5,000 pictures, it holds the accuracy on all pictures of this kind in 19 cases of 20.
# Two networks whose intervals overlap widely may be equally good.
#
# We have three sets of pictures. The network learnt from the **training** pictures. You choose settings on the **validation** pictures.
# The **test** pictures are for the one number that you hand in: whoever tries a hundred settings on them picks the luckiest one.

# %% name="measure"
before, after = measure(model, pictures), measure(pruned, pictures)
print(f"original\n{before}\n\npruned\n{after}")

# %% [markdown] name="speed"
# ## Speed is measured here
#
# The third promise of compression is speed, and it is the one most often broken. Below, one picture at a time goes through both networks,
# on this machine. On paper the pruned one multiplies far less often. But an ordinary matrix product multiplies by zero as slowly as by
# any other number, so **zeros alone save no time**. Later notebooks show what does.
#
# A busy machine is slow for many reasons. So the ratio comes with a control, the original timed against itself:
# a speed-up inside the control's range is not real.

# %% name="latency"
from labkit.latency import latency, ratio

print("original:", latency(model, pictures.image_shape, batch=1))
print("pruned, how many times faster:", ratio(model, pruned, pictures.image_shape, batch=1))

# %% [markdown] name="compose"
# ## Compress twice
#
# In code a method takes three steps. `prepare` does the slow part once. `at` gives the network for one position of the slider.
# `measure` says what it costs. The result is again a network, so the next method can start from it: prune, **then** cluster the weights
# that are left. With one more step, Huffman coding, which `save` does by itself, this is Deep Compression [@han2016].

# %% name="prune-then-cluster"
from labkit.quantization import KMeans

curve = KMeans().prepare(pruned)
both = curve.at(3)
stages = {"original": before, "pruned": after, "pruned, then clustered": measure(both, pictures)}
for name, found in stages.items():
    print(f"{name:24}{found.bytes:>10,} bytes, {before.bytes / found.bytes:5.1f} times smaller, {found.accuracy}")

# %% [markdown] name="explore-both"
# And `explore` takes any network: this panel clusters the pruned one. The zeros stay zeros, and all shared values serve the weights that are left.
# Go down to 1 bit, and compare with 1 bit in the first panel.

# %% name="panel-both"
explore(pruned, KMeans(), knob=3)

# %% [markdown] name="exercise-mask"
# ## Exercise: the mask
#
# The heart of magnitude pruning fits in three lines. Write `mask(weight, sparsity)`: a tensor in the shape of `weight`, true where a weight stays.
# The `round(sparsity * weight.numel())` weights nearest to zero go. For example, of `[0.5, -0.1, 0.2, -0.9]` at sparsity 0.5 the first and the last stay.
# If you are stuck, run `hint("magnitude mask")`, as often as you like: each hint says more.

# %% name="mask"
def mask(weight, sparsity):
    ### BEGIN SOLUTION
    keep = torch.ones(weight.numel(), dtype=torch.bool)
    keep[weight.abs().flatten().argsort()[: round(sparsity * weight.numel())]] = False
    return keep.view(weight.shape)
    ### END SOLUTION

# %% name="check-mask" points=2
### BEGIN HIDDEN TESTS
assert check("magnitude mask", mask)
assert mask(torch.tensor([3.0, -4.0, 1.0, -2.0]), 0.75).tolist() == [False, True, False, False]
### END HIDDEN TESTS
check("magnitude mask", mask)

# %% [markdown] name="exercise-budget"
# ## Exercise: a budget
#
# A small device has **64,000 bytes** left for this network, and may lose at most **1.5 points** of accuracy on the validation pictures.
# Write `compress(model)` with the methods from above. The check saves your network, looks at the file, loads it again and tests it.

# %% name="budget"
def compress(model):
    ### BEGIN SOLUTION
    pruned = Magnitude().prepare(model).at(0.85)
    return KMeans().prepare(pruned).at(4)
    ### END SOLUTION

# %% name="check-budget" points=3
### BEGIN HIDDEN TESTS
assert check("file within a budget", compress)
### END HIDDEN TESTS
check("file within a budget", compress)

# %% [markdown] name="next"
# ## What comes next
#
# You have compressed a real network in three ways, measured it honestly, and stacked two methods. Each notebook of the map goes on from here:
# [**01** quantization](01_quantization_and_binarization.ipynb), **02** pruning, **03** structured matrices, **04** low-rank factors, **05** compact filters, **06** distillation,
# **07** dynamic networks, **08** all of them side by side. They can be read in any order.
#
# One question to take along: after pruning, nobody trained the network again. Press *Fine-tune* in the first panel at a setting that hurts.
# How much comes back?
#
# ## References
#
# {references}
