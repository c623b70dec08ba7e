# %% [markdown] name="claim"
# # 08 Benchmarks: which numbers of compression can be trusted?
#
# The notebooks so far made networks small, each with its own figures. Here all of them stand on one map: every run that the lab has made, against bytes, multiplications and measured time.
# You find what nothing beats, measure which promised speed-ups are real, and see why the factors of two papers do not compare.
# This is sections VI and VII of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, frontier, zoo
from labkit.course import check, hint

frontier("LeNet-5")

# %% [markdown] name="look"
# ## One map, and its edge
#
# Each mark is a network that was compressed, written to a file and measured. One point **beats** another if it is as small and as accurate, and better in one of both. What nothing beats is the **frontier**: the grey line for one theme, the dashed one for two themes in a row. Click a mark: it opens below, as a live model with its sliders.
#
# Then change the cost to multiplications, and to time. Which themes leave the frontier? Why does quantization save no time here?
#
# **Before** you run the next cell, guess: VGG has 94.4 % at 2.3 MB. Within two points of that, how small is the smallest file? The diamond is your guess.

# %% name="guess"
kilobytes, percent = 500, 92.4  # your guess here

page = frontier("VGG")
page.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="figures"
# ## Three figures, and a trap
#
# With $a$ numbers and $s$ seconds before, $a^*$ and $s^*$ after, the survey measures the **compression rate** $\alpha = a / a^*$, the **space saving** $\beta$ and the **speed-up** $\delta = s / s^*$. As printed, $\beta = (a - a^*) / a^*$. That is $\alpha - 1$, and no share of anything: it must have meant $(a - a^*) / a = 1 - 1/\alpha$.
#
# None of the three knows of bits. A matrix of 5 x 5, compressed in three ways:

# %% name="five-by-five"
from labkit.rates import compression_rate, space_saving, space_saving_as_printed

ways = {
    "rank 1": (5 + 5, 10 * 32),
    "5 weights left": (5, 5 * (32 + 5)),  # 5 bits say where
    "4 shared values": (25 + 4, 25 * 2 + 4 * 32),  # 2 bits say which
}
for name, (numbers, bits) in ways.items():
    rate, saved = compression_rate(25, numbers), space_saving(25, numbers)
    printed = space_saving_as_printed(25, numbers)
    print(f"{name:15}: α {rate:.2f}, β {saved:+.2f} (printed {printed:+.2f}), bits {800 / bits:.1f} x")

# %% [markdown] name="exercise-figures"
# ## Exercise: three figures by hand
#
# Write `figures(a, a_small, s, s_small)`, which returns rate, saving and speed-up. Then read the table: which figures of which network would you put into an advertisement, and which would you rather not?


# %% name="by-hand"
def figures(a, a_small, s, s_small):
    ### BEGIN SOLUTION
    return a / a_small, (a - a_small) / a, s / s_small
    ### END SOLUTION


# %% name="check-figures" points=2
### BEGIN HIDDEN TESTS
assert check("three figures", figures)
### END HIDDEN TESTS
check("three figures", figures)

# %% name="measured"
from labkit.benchmark.figures import figures as measured
from labkit.lowrank import SVD, ActivationSVD
from labkit.pruning import DeepCompression, FilterPruning, Magnitude
from labkit.quantization import KMeans

pictures, lenet = data.load(), zoo.load("LeNet-5")
steps = (KMeans(), 4), (SVD(), 32), (FilterPruning(), 0.3), (DeepCompression(), 0.8)
small = {f"{one.title}, {one.knob.show(at)}": one.prepare(lenet, pictures).at(at) for one, at in steps}
measured({"original": lenet, **small}, pictures)

# %% [markdown] name="survey"
# ## The survey's tables, and a map of what was tried
#
# Tables I to III as the survey prints them; table IV as a map, with our own runs counted beside. Look for empty cells: nobody has tried these.

# %% name="tables"
from labkit.benchmark import surveyed

display(surveyed.table_one(), surveyed.table_two(), surveyed.table_three(), surveyed.table_four())

# %% name="data-sets"
from labkit.course import datasets

display(datasets.pictures(), datasets.table())

# %% [markdown] name="search"
# ## Two themes, found by a small search
#
# The themes are orthogonal, says the survey: combine them. How much is that worth? The search takes each first method from its mildest value on, until more than one point is lost, and halves the number of bits behind it. So it measures some dozens of networks, not hundreds.
#
# A **control** stands beside the best: as many weights in the same layers, with the same values that the original has there, but at places drawn by lot.

# %% name="compose"
from labkit.benchmark.composition import search, table
from labkit.course.controls import random_mask
from labkit.live.watch import watch
from labkit.measure import accuracy

mlp = zoo.load("LeNet-300-100")
firsts = [Magnitude(), ActivationSVD(), FilterPruning()]
found = watch(search(mlp, pictures, firsts, KMeans(), lost=0.01), draw=table)
pruned = Magnitude().prepare(mlp).at(0.8)
print("80 % pruned by size:", accuracy(pruned, pictures))
print("80 % pruned by lot: ", accuracy(random_mask(pruned, mlp), pictures))

# %% [markdown] name="train"
# Training moves the frontier further than any choice of steps. Some seconds of it, and then what all sweeps found: on which network do two themes *not* win?

# %% name="train-it"
from labkit import size
from labkit.benchmark.edges import edges

curve = DeepCompression().prepare(mlp, pictures)
for progress, trained in curve.train(0.95, pictures):
    pass
for name, network in {"not trained": curve.at(0.95), "trained": trained.eval()}.items():
    print(f"{name}: {size(network).total:,} bytes, {accuracy(network, pictures)}")
edges(lost=0.01)

# %% [markdown] name="exercise-device"
# ## Exercise: a device with 64 KB
#
# LeNet-5 has 1.7 MB. Your device has 65,536 bytes for it, and 92 % of the validation pictures should be right. Find a point on the map, and write `fit(model, pictures)`, which returns such a network within 20 seconds.


# %% name="device"
def fit(model, pictures):
    ### BEGIN SOLUTION
    return DeepCompression().prepare(model, pictures).at(0.85)
    ### END SOLUTION


# %% name="check-device" points=2
### BEGIN HIDDEN TESTS
assert check("a 64 KB device", fit)
### END HIDDEN TESTS
check("a 64 KB device", fit)

# %% [markdown] name="deployment"
# ## What was promised, and what is real
#
# Fewer multiplications are a promise. Whether it is kept depends on the runtime and the machine. So each network runs in four runtimes, each compared with the dense network *in the same runtime*, in turns. The dense network runs twice: how far it is from itself, the **A/A control**, is how far noise goes.
#
# Guess first: which row is the fastest, and which promise is broken everywhere?

# %% name="runtimes"
from labkit.runtime.deployment import deployment, promises

vgg = zoo.load("VGG")
half = FilterPruning().prepare(vgg, pictures).at(0.5)
networks = {"dense": vgg, "half of the filters": half, "90 % zeros": Magnitude().prepare(vgg).at(0.9)}
promises(networks, pictures, list(deployment(networks, pictures, rounds=9)))

# %% [markdown] name="exercise-real"
# ## Exercise: is it real?
#
# Write `real(baseline, again, other)`: three arrays of seconds, one entry a round, taken in turns. Return True only where `other` is faster than the noise between `baseline` and `again`. Beware of rounds in which the whole machine was slow.


# %% name="real"
import numpy as np


def real(baseline, again, other):
    ### BEGIN SOLUTION
    ratios = baseline / other
    control = np.percentile(baseline / again, 95)
    return bool(np.median(ratios) > control and np.percentile(ratios, 5) > 1)
    ### END SOLUTION


# %% name="check-real" points=2
### BEGIN HIDDEN TESTS
assert check("is it real?", real)
### END HIDDEN TESTS
check("is it real?", real)

# %% [markdown] name="drawback"
# ## The drawback: two factors do not compare
#
# One paper counts weights that are left, another their bits, a third their positions too. Deep Compression makes LeNet-5 39 times smaller in its own paper, and 6 times in the table of a later one, which counts structure and positions otherwise. Baselines differ as well: published errors of LeNet-300-100 on MNIST reach from 1.64 to 2.5 %.
#
# Below, one network is counted in six ways. **Exercise:** write `count(weights, kept, bits, gap)` and return two factors: by weights alone, and by what is stored, with `bits` for a weight, `gap` bits for its position and, below 32 bits, a codebook of `2**bits` float32 values.

# %% name="six-ways"
from labkit.benchmark.figures import factors

factors(DeepCompression().prepare(lenet, pictures).at(0.9), lenet, pictures.image_shape)


# %% name="count"
def count(weights, kept, bits, gap):
    ### BEGIN SOLUTION
    codebook = 32 * 2**bits if bits < 32 else 0
    return weights / kept, 32 * weights / (kept * (bits + gap) + codebook)
    ### END SOLUTION


# %% name="check-count" points=2
### BEGIN HIDDEN TESTS
assert check("two papers' factors", count)
### END HIDDEN TESTS
check("two papers' factors", count)

# %% [markdown] name="published"
# ## What came after, and the papers' numbers beside ours
#
# The survey's baselines are gone from practice, and its questions are not. A review of 81 pruning papers found that hardly two can be compared [@blalock2020]; since then, benchmarks fix network, data and budget, and runtimes fix the kernels that a sparse or quantised network may use.
#
# Here is every published number that the lab has run itself. A verdict needs the same network on the same data; where that is missing, the row says what differs. Any row of ours can be run again from its key, for a few seconds or some hours. Two rows are worse than published: what would you change first?

# %% name="compared"
from labkit.benchmark.again import again
from labkit.benchmark.compared import compared

display(compared(), again("96e2f7d56e24119d"))

# %% [markdown] name="references"
# ## References
#
# {references}
