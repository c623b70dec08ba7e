# Two commands do it all: `make lab` opens the lab, `make test` proves that it works.

PYTHON ?= $(shell sh scripts/find_python.sh 2>/dev/null)
VENV := .venv/bin

.PHONY: help lab test lint install clean

help:
	@echo "make lab          install what is missing, then open JupyterLab at the first notebook"
	@echo "make lab CPU=1    the same with PyTorch's CPU builds: on Linux, gigabytes less to download"
	@echo "make test         install what the tests need, a browser included, and run them"
	@echo "make lint         check the style of the code"
	@echo "make clean        remove .venv and what the tests left; the data and the notebooks stay"

# CPU=1 is handed on; without a usable Python the first step says so and stops.
install:
	@sh scripts/find_python.sh "$(PYTHON)" >/dev/null
	@"$(PYTHON)" scripts/install.py $(if $(filter-out 0,$(CPU)),--cpu) $(EXTRA)

lab: install
	@$(VENV)/python scripts/lab.py

test: EXTRA := --test
test: install
	@$(VENV)/python scripts/chromium.py
	@$(VENV)/python -m pytest $(PYTEST)

lint: EXTRA := --test
lint: install
	@$(VENV)/ruff check .

clean:
	rm -rf .venv build .pytest_cache .ruff_cache .hypothesis labkit.egg-info
