"""The Compression Lab's package: every method of the survey, and the lab to play with them."""
