PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-peers

.PHONY: setup reproduce update quick test lint check benchmark benchmark-peers clean

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
	$(BIN)/basedpyright

check: setup
	$(BIN)/provable-ptq check

benchmark: setup
	$(BIN)/python -m benchmarks

# Other programs need other versions than the shipped constraints: an environment of their own.
benchmark-peers: $(PEERS)/installed
	$(PEERS)/bin/python -m benchmarks.peers

$(PEERS)/installed: pyproject.toml constraints.txt benchmarks/peers.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	grep -E '^(numpy|scipy|torch)==' constraints.txt > $(PEERS)/constraints.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(PEERS)/constraints.txt torch --editable .
	while read -r peer; do \
		$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(PEERS)/constraints.txt "$$peer" < /dev/null \
			|| echo "$$peer cannot be installed here: it is left out"; \
	done < benchmarks/peers.txt
	touch $@

clean:
	rm -rf $(VENV) $(PEERS) build dist out *.egg-info
