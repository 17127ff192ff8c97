PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup reproduce update quick test lint check benchmark clean

setup: $(VENV)/installed

# Installed once; again only when the requirements change.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("provable-ptq needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[calibration,transformer,cluster,dev]"
	touch $@

# Beside the shipped results, in out/paper, and compared with them; `update` replaces them.
reproduce: setup
	$(BIN)/provable-ptq reproduce

update: setup
	$(BIN)/provable-ptq reproduce --update

quick: setup
	$(BIN)/provable-ptq reproduce --quick

test: setup
	$(BIN)/python -m pytest --numprocesses auto

lint: setup
	$(BIN)/ruff check .

check: setup
	$(BIN)/provable-ptq check

benchmark: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist out *.egg-info
