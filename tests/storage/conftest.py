"""What the tests of files share."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a busy machine makes no code wrong
settings.load_profile("unhurried")
