#!/bin/sh
# Print the first Python that is 3.11 or newer, or say in one sentence what to do.
# usage: find_python.sh [PYTHON]      with an argument, only that one is tried

for python in ${1:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        echo "$python"
        exit 0
    fi
done
found=$("${1:-python3}" --version 2>&1) || found="no Python"
echo "The lab needs Python 3.11 or newer, and here is $found: install a newer one, or name it (make lab PYTHON=/path/to/python3)." >&2
exit 1
