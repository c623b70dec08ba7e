# %% [markdown] name="claim"
# # 01 Quantization and binarization: how few bits does a weight need?
#
# A weight is stored in 32 bits, and the network would miss few of them: with 8 bits it answers the same, with 4 nearly so,
# and with some training even one bit can do. Here you find out which bits you can drop, what the others really cost on disk,
# and why the loss should be asked. This is section II-A of the survey [@cheng2018]. It takes about an hour.

# %% name="panel"
from labkit import data, explore, quantization, size, zoo
from labkit.course import check, hint, shuffled

explore("LeNet-5", [method() for method in quantization.METHODS], knob=4)

# %% [markdown] name="look"
# ## Move the slider, then guess
#
# Go from 8 bits to 1. Then choose **code lengths** above the second picture, another **method**, and one layer under **where**.
# Pale lines are runs that come with the lab; those named "trained" took minutes. The button *Fine-tune* does ten seconds of it.
#
# Now guess **before** you run the next cell. The even grid below has 2 bits, so three values for each output channel.
# How large is the file, and how many answers in a hundred are right? Your guess is the diamond. Then drag to 2.

# %% name="guess"
from labkit.quantization import Uniform

kilobytes, percent = 300, 80  # your guess here

panel = explore("LeNet-5", Uniform())
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## A few shared values
#
# Keep $k = 2^b$ values $c_j$, and for each weight only the number $a(i)$ of its value:
#
# $$\min_{c,\,a} \sum_i (w_i - c_{a(i)})^2$$
#
# That is k-means in one dimension [@gong2014]. Lloyd's iteration [@lloyd1982] repeats two steps that can only lower the sum: give each weight
# to the nearest centroid, then move each centroid to the mean of its weights. The rate for $n$ weights is $32 n / (b n + 32 k)$.
# Here is a matrix of 5 x 5, before and after, with two bits.

# %% name="five-by-five"
import torch

from labkit import adopt
from labkit.quantization import KMeans

torch.manual_seed(0)
tiny = adopt(torch.nn.Sequential(torch.nn.Linear(5, 5)))
book = KMeans().prepare(tiny).at(2)[0].weight
print("before\n", tiny[0].weight().detach().numpy().round(2))
print("codes\n", book.codes.numpy(), "\nshared values", book.centroids().detach().numpy().round(2))
print("after\n", book().detach().numpy().round(2))

# %% [markdown] name="exercise-step"
# ## Exercise: one step of k-means
#
# Write `step(weights, centroids)`, both one-dimensional: assign each weight to its nearest centroid, and return the moved centroids.
# A centroid to which no weight belongs stays where it is.

# %% name="step"
def step(weights, centroids):
    ### BEGIN SOLUTION
    nearest = (weights[:, None] - centroids).abs().argmin(1)
    moved = centroids.clone()
    for k in nearest.unique():
        moved[k] = weights[nearest == k].mean()
    return moved
    ### END SOLUTION

# %% name="check-step" points=2
### BEGIN HIDDEN TESTS
assert check("k-means step", step)
### END HIDDEN TESTS
check("k-means step", step)

# %% [markdown] name="grid"
# ## An even grid
#
# Processors do not look values up; they multiply whole numbers. For them a weight must lie on a grid of equal steps,
# $w \approx s\,(q - z)$, with whole $q$ and $z$ and a scale $s$ [@vanhoucke2011]. A grid for each output channel costs four bytes
# a channel and usually pays, since channels differ in width. How wide? A grid a little narrower than all weights has finer steps for most of them.
# **calibration="mse"** takes the width with the least squared error.
#
# Below is one layer alone. Which of the two methods wins at 3 bits, and why?

# %% name="one-layer"
explore("LeNet-5", [Uniform(), KMeans()], where="conv2", knob=3)

# %% [markdown] name="exercise-grid"
# ## Exercise: symmetric, for each channel
#
# Write `quantize(weight, bits)`, which returns `codes, scale`. The first dimension of `weight` is the output channel. With
# $t = 2^{b-1} - 1$, codes are whole numbers from $-t$ to $t$ as `torch.int8`, `scale` has one number for each channel, and the largest
# weight of a channel gets the code $t$ or $-t$. That is at most one byte a weight and four a channel.

# %% name="quantize"
def quantize(weight, bits):
    ### BEGIN SOLUTION
    flat, top = weight.flatten(1), 2 ** (bits - 1) - 1
    scale = flat.abs().amax(1).clamp_min(1e-12) / top
    return (flat / scale[:, None]).round().view(weight.shape).to(torch.int8), scale
    ### END SOLUTION

# %% name="check-quantize" points=2
### BEGIN HIDDEN TESTS
assert check("symmetric quantization", quantize)
### END HIDDEN TESTS
check("symmetric quantization", quantize)

# %% [markdown] name="codes"
# ## Fewer bits than $b$
#
# Not all codes are used equally often. Huffman [@huffman1952] gives frequent ones short codewords, as the last step of Deep Compression
# [@han2016]. On average no code is shorter than the entropy, $H = -\sum_j p_j \log_2 p_j$ [@shannon1948], and Huffman's is less than one bit longer.
#
# And a **control**: the same codes, shuffled within each layer. If accuracy came from the histogram, it would stay.

# %% name="control"
from labkit.codes import code_table
from labkit.measure import measure

model, pictures = zoo.load("LeNet-5"), data.load()
four = KMeans().prepare(model).at(4)
table = code_table(four.fc1.weight)
print(f"fc1: equal lengths {table.fixed} bits, Huffman {table.average:.3f}, entropy {table.entropy:.3f}")
for name, network in {"4 bits": four, "the same codes, shuffled": shuffled(four)}.items():
    print(f"{name}: {size(network).total:,} bytes, {measure(network, pictures).accuracy}")

# %% [markdown] name="loss"
# ## Ask the loss
#
# Squared error treats all weights alike. Near a minimum the loss rises by about $\frac12 \sum_i h_i (w_i - \hat w_i)^2$, with $h_i$ its curvature in weight $i$.
# So centroids should be means weighted by $h$, and since $h$ compares weights of different layers, **one** codebook can serve the whole network [@choi2017].
# The entropy-constrained form also charges each weight for the length of its code; its slider is that length on average. Where the changes are small, the curvature tells
# the truth; below about 3 bits they are not, and plain k-means can win.
#
# **Exercise: four times smaller.** In the cell after it, make LeNet-5's file at least **4 times smaller** and lose at most **0.3 points**
# on the validation pictures. Any method goes.

# %% name="whole-network"
from labkit.quantization import EntropyConstrained, HessianKMeans

explore("LeNet-300-100", [EntropyConstrained(), HessianKMeans(), KMeans()])

# %% name="compress"
def compress(model):
    ### BEGIN SOLUTION
    return KMeans().prepare(model).at(6)
    ### END SOLUTION

# %% name="check-compress" points=2
### BEGIN HIDDEN TESTS
assert check("four times smaller", compress)
### END HIDDEN TESTS
check("four times smaller", compress)

# %% [markdown] name="training"
# ## Train through the rounding
#
# Rounding has no useful gradient: it is flat, then it jumps. So training keeps the real weights, rounds them on the way forward, and on the way back pretends
# that it did not: the **straight-through estimator**. LSQ [@esser2020] learns the step of the grid likewise. This takes less than a minute.

# %% name="train"
from dataclasses import replace

from labkit.measure import accuracy
from labkit.quantization import LSQ

curve = LSQ().prepare(zoo.load("LeNet-300-100"))
print(f"2 bits, rounded: {accuracy(curve.at(2), pictures)}")
for progress, trained in curve.train(2, pictures, replace(LSQ.recipe, epochs=4)):
    if progress.step % 400 == 0:
        print(f"step {progress.step} of {progress.steps}: loss {progress.loss:.3f}")
print(f"2 bits, trained: {accuracy(trained, pictures)}")

# %% [markdown] name="drawback"
# ## One bit, and where it hurts
#
# BinaryConnect [@courbariaux2015] keeps only signs. A scale for each channel, the mean of $|w|$, is the best fit to the weights [@rastegari2016].
# The loss-aware scale weights that mean by the curvature, $\alpha = \sum d\,|w| / \sum d$ [@hou2017]. Ternary weights add a zero [@li2016b].
# The survey names two **drawbacks**: on large networks binary weights lose much, and fitting the weights alone ignores the loss. Look for both below, in the lab's own runs.
# Untrained, the first is plain. Trained, it is not: batch normalisation puts the scale right in VGG and ResNet-20, LeNet-5 has none, and ten kinds of clothes are not ImageNet.
# As to the second: one loss-aware scale a layer does as well as one a filter that fits the weights.

# %% name="binary"
from labkit.benchmark import report

binary = ["BinaryConnect", "BinaryScaled", "LossAware", "Ternary"]
report.losses([f"quantization.{name}" for name in binary])

# %% [markdown] name="exercise-price"
# ## Exercise: the price of one bit
#
# Why does one bit cost more in one layer than in another? Write `price(before, after, curvature)`, the expected rise of the loss,
# $\frac12 \sum_i h_i (\hat w_i - w_i)^2$, for tensors of one shape. The check sets it beside what really happens.

# %% name="price"
def price(before, after, curvature):
    ### BEGIN SOLUTION
    return 0.5 * (curvature * (after - before) ** 2).sum()
    ### END SOLUTION

# %% name="check-price" points=2
### BEGIN HIDDEN TESTS
assert check("price of one bit", price)
### END HIDDEN TESTS
check("price of one bit", price)

# %% [markdown] name="speed"
# ## Is it faster?
#
# So far all products were computed in float32: simulated integers are small, **not fast**. ONNX Runtime multiplies real integers. For that it quantizes the
# activations too, with ranges from a few hundred training pictures. Measured on your machine:

# %% name="int8"
from labkit.runtime import compare

compare(model, pictures, simulated=Uniform().prepare(model).at(8))

# %% [markdown] name="published"
# ## The papers' numbers and ours
#
# Two experiments, repeated in small, with three seeds. On 10,000 pictures 0.1 points is noise.

# %% name="tables"
from labkit.benchmark import beside

display(beside.loss_aware(), beside.deep_compression("LeNet-300-100"), beside.deep_compression("LeNet-5"))

# %% [markdown] name="next"
# ## What came after
#
# Learned steps [@esser2020] brought training to 2 to 4 bits. Rounding by second derivatives made 4 bits usual for language models, where
# Hessian-weighted codebooks returned too; some are trained ternary from the start. **02** prunes before codes are shared: both together are Deep Compression.
#
# ## References
#
# {references}
