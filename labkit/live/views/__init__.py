"""What a panel shows, as small plain data: each view knows nothing of browsers or widgets.

A view is a dict that turns into JSON of at most a few kilobytes, with a `text` that says the same
in words. The scripts in `live/js` draw them, `live/static.py` prints them.
"""
