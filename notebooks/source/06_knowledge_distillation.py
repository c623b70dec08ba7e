# %% [markdown] name="claim"
# # 06 Knowledge distillation: what does a teacher know that no label says?
#
# A label says *shirt*. A trained network says: a shirt, but nearly a T-shirt, and never a boot. **Knowledge distillation** trains a small network, the student, on such answers.
# Here you heat up a teacher's answers, train students with and without one, and find out when a teacher asks too much.
# This is section V of the survey [@cheng2018], in about an hour.

# %% name="panel"
from labkit import data, explore, zoo
from labkit.course import check, hint
from labkit.distillation import METHODS, RIVALS, LabelsAlone, SoftTargets

panel = explore("VGG", [SoftTargets(), LabelsAlone()], knob=0.25, beside=True)
panel.look("learning curves")

# %% [markdown] name="look"
# ## Two students, one button
#
# The knob is the width of the student: a quarter of the filters in every layer, drawn anew, so it knows nothing yet. Press *Fine-tune*. Both students learn for some seconds in turns, from the same pictures: one with labels alone,
# one that is also told what VGG says. The pale lines are runs of two whole epochs, three seeds each.
#
# **Before** you run the next cell, guess: a sixteenth of the width of LeNet-5, with a teacher. How large is its file, and how many answers in a hundred are right after two epochs? The diamond is your guess. Then compare the pale lines: who gains by a teacher, the large students or the tiny ones?

# %% name="guess"
kilobytes, percent = 100, 85  # your guess here

panel = explore("LeNet-5", [method() for method in (*METHODS, LabelsAlone)], knob=0.0625)
panel.guess(size=1000 * kilobytes, accuracy=percent / 100)

# %% [markdown] name="idea"
# ## Heat
#
# A trained network is too sure: its softmax says 1 for one class and nearly 0 for all others. So divide the logits $v$ by a **temperature** $T$ first, $p_i = e^{v_i/T} / \sum_j e^{v_j/T}$, and let the student's softened answer $q$ come near it [@hinton2015]:
#
# $$L = (1-\lambda)\, \mathrm{CE}(y, z) + \lambda\, T^2\, \mathrm{KL}(p \,\|\, q).$$
#
# The gradient of the second term is $\lambda T (q_i - p_i)$. At a high temperature $q_i - p_i \approx (z_i - v_i) / (kT)$ for $k$ classes and logits of mean 0: then it is **regression on the logits** [@ba2014]. Heat up hard pictures below. Where does the answer meet the strokes? The cell after it compares both gradients.

# %% name="soften"
from labkit.course.softening import soften_by_hand

softened = soften_by_hand("VGG")

# %% name="five-classes"
import torch

from labkit.distillation.losses import logit_loss, soft_loss, soften

v = torch.tensor([[9.0, 5.0, 4.0, -2.0, -16.0]])  # five classes, of mean 0
z = torch.tensor([[1.0, 2.0, -1.0, 0.0, -2.0]], requires_grad=True)
(limit,) = torch.autograd.grad(logit_loss(z, v) / 5, z)
for T in (1, 4, 20, 100):
    (gradient,) = torch.autograd.grad(soft_loss(z, v, T), z)
    far = (gradient - limit).norm() / limit.norm()
    print(f"T = {T:3}: p = {soften(v, T)[0].numpy().round(3)}, gradient {100 * far:.0f} % off")

# %% [markdown] name="exercise-loss"
# ## Exercise: the loss
#
# Write `distillation_loss(z, v, labels, T, weight)`: logits `z` of the student and `v` of the teacher (n, k), labels (n,). Return one number, a mean over pictures. Why $T^2$? The check looks at the gradient.


# %% name="loss"
import torch.nn.functional as F


def distillation_loss(z, v, labels, T, weight):
    ### BEGIN SOLUTION
    soft = T**2 * F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction="batchmean")
    return (1 - weight) * F.cross_entropy(z, labels) + weight * soft
    ### END SOLUTION


# %% name="check-loss" points=2
### BEGIN HIDDEN TESTS
assert check("distillation loss", distillation_loss)
### END HIDDEN TESTS
check("distillation loss", distillation_loss)

# %% [markdown] name="exercise-alike"
# ## Exercise: dark knowledge
#
# What does the teacher say of shirts and coats? Write `resemblance(targets, labels)`: from soft targets (n, k) and labels (n,) make a matrix (k, k). Row $i$ is the mean answer for pictures of class $i$, without class $i$ itself, and adds up to 1.


# %% name="alike"
def resemblance(targets, labels):
    ### BEGIN SOLUTION
    classes = range(targets.shape[1])
    alike = torch.stack([targets[labels == i].mean(0) for i in classes]).fill_diagonal_(0)
    return alike / alike.sum(1, keepdim=True)
    ### END SOLUTION


# %% name="check-alike" points=2
### BEGIN HIDDEN TESTS
assert check("dark knowledge", resemblance)
### END HIDDEN TESTS
check("dark knowledge", resemblance)

# %% [markdown] name="controls"
# ## Is it knowledge, or only doubt?
#
# Soft targets are less sure than labels, and that alone may help. Two **controls**: labels that are as unsure as the teacher, picture by picture, with all wrong classes alike; and the teacher's own numbers with the wrong classes in another order. All four students have fewer than 10,000 numbers and learn from the same 1,000 pictures. Which two would you bet on?

# %% name="train"
from labkit.measure import accuracy, parameters
from labkit.train import Recipe


def student(method, width=1 / 8, epochs=40, pictures=data.load().few(1_000)):
    torch.manual_seed(0)
    recipe = Recipe(epochs=epochs, learning_rate=0.005, weight_decay=0, optimiser="adam")
    for progress, trained in method.prepare(zoo.load("VGG"), pictures).train(width, pictures, recipe):
        pass
    print(f"{method.title}: {parameters(trained):,} numbers, {accuracy(trained.eval(), data.load())}")
    return trained


# %% name="compare"
for method in (LabelsAlone(), SoftTargets(8, 0.5), *(rival(8, 0.5) for rival in RIVALS[1:])):
    student(method)

# %% [markdown] name="exercise-student"
# ## Exercise: a student of 10,000 numbers
#
# Return a method of this section with settings of yours, `SoftTargets(temperature=20, weight=0.5, teacher="LeNet-5")` for example. The check trains it as above, beside the plain student, for about half a minute. Yours must be at least 2.8 points better.


# %% name="how"
def how():
    ### BEGIN SOLUTION
    return SoftTargets(temperature=3, weight=0.9, teacher="VGG-wide")
    ### END SOLUTION


# %% name="check-student" points=2
### BEGIN HIDDEN TESTS
assert check("a student of 10,000 numbers", how)
### END HIDDEN TESTS
check("a student of 10,000 numbers", how)

# %% [markdown] name="exercise-attention"
# ## More than answers, and an exercise
#
# * **Hints**: the middle of the student learns the teacher's maps first, by way of a regressor [@romero2015].
# * **Attention transfer**: it learns only *where* these maps are strong, $Q = \sum_c |A_c|^p$ as a vector of length 1 [@zagoruyko2017].
# * **Decoupled distillation** weighs the right class and the others apart [@zhao2022].
#
# Write `attention(maps)`: for maps (n, channels, height, width) return $Q / \lVert Q \rVert$ with $p = 2$, (n, height · width). Then look at two students: does the one that looks where its teacher looks also know more?


# %% name="attention"
def attention(maps):
    ### BEGIN SOLUTION
    return F.normalize(maps.square().sum(1).flatten(1))
    ### END SOLUTION


# %% name="check-attention" points=2
### BEGIN HIDDEN TESTS
assert check("attention map", attention)
### END HIDDEN TESTS
check("attention map", attention)

# %% name="look-at-it"
from labkit.course.looking import look_by_hand
from labkit.distillation import AttentionTransfer

students = {method.title: student(method, 1 / 4, 5) for method in (LabelsAlone(), AttentionTransfer())}
looking = look_by_hand(zoo.load("VGG"), students)

# %% [markdown] name="drawback"
# ## The first drawback: too strict a teacher
#
# To imitate a network in everything, one needs its size. A sixteenth of VGG has 2,500 numbers. Told to copy ten logits exactly, it spends them on numbers that decide nothing. Find the rows in the tables below in which a student would do better without its teacher.

# %% name="too-strict"
from labkit.distillation import LogitRegression

for method in (LabelsAlone(), LogitRegression(), SoftTargets(20, 1)):
    student(method, 1 / 16)

# %% [markdown] name="no-softmax"
# ## The second drawback, and why it is dated
#
# The survey says that distillation serves only classifiers with a softmax. But a teacher can give any number. By how many degrees is this shirt tilted? Somebody labelled 500 pictures. A teacher from elsewhere answers for 10,000 more, and the student learns logit regression on them, as it stands.

# %% name="tilt"
from labkit.distillation.tilt import degrees_off, square_error, taught_to_tilt, tilted

clothes = tilted(data.load(), 10_000)
teacher = taught_to_tilt(zoo.build("LeNet-5", classes=1), clothes)
print(f"teacher: {degrees_off(teacher, clothes):.1f}° off")
lessons = (LabelsAlone(), clothes.few(500), 40), (LogitRegression(), clothes, 2)
for method, pictures, epochs in lessons:
    torch.manual_seed(0)
    curve = method.prepare(teacher, pictures)
    recipe = Recipe(epochs=epochs, learning_rate=0.002, weight_decay=0, optimiser="adam")
    *_, (_, trained) = curve.train(1 / 4, pictures, recipe, loss=square_error)
    print(f"{method.title}, {len(pictures.train):,} pictures: {degrees_off(trained, clothes):.1f}° off")

# %% [markdown] name="net2net"
# ## The other way round: a student that begins where its teacher ends
#
# **Net2Net** makes a network wider or deeper without changing one answer: units are copied and what reads them is divided, or an identity is put behind a ReLU [@chen2016]. Then the larger network trains on.

# %% name="larger"
from labkit.distillation.net2net import deeper, wider

vgg, x = zoo.load("VGG"), data.load().normalise(data.load().validation.images[:64])
wide = wider(vgg, (1, 28, 28), "conv3", 96, torch.Generator().manual_seed(0))
deep = deeper(wide, "relu3", x)
for name, network in (("wider", wide), ("wider and deeper", deep)):
    apart = (network(x) - vgg(x)).abs().max()
    print(f"{name}: {parameters(network):,} numbers, answers differ by {apart:.0e}")

# %% [markdown] name="published"
# ## What came after, and the papers' numbers beside ours
#
# Since then students teach each other, networks teach themselves, and language models are distilled on text that the teacher wrote. A teacher may also be a compressed network, and a student can be compressed: *Keep* it in the panel, then choose k-means.
#
# In the tables: how much of the gain do smoothed labels explain? Is the best teacher the best one for a small student? Where is ours worse than the paper's, and what did the paper have that we did not?

# %% name="tables"
from labkit.benchmark import distillation as tables
from labkit.course.widths import student_curves

display(student_curves(), tables.hinton(), tables.fitnets(), tables.methods())
display(tables.teachers(), tables.then())

# %% [markdown] name="references"
# ## References
#
# {references}
