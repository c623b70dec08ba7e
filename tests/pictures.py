"""Few real pictures, for tests that train or measure."""

from labkit import data as datasets


def few(train: int, validation: int) -> datasets.Data:
    """Return the first pictures of Fashion-MNIST; those of the validation split are the test's too."""
    whole = datasets.load("FashionMNIST")
    small = whole.validation.take(slice(0, validation))
    return datasets.Data("few", whole.classes, whole.train.take(slice(0, train)), small, small, whole.mean, whole.std)
