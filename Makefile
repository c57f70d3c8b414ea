# make demo: the whole way on synthetic images.  make test: style, types, layering, then every test.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test lint install clean

install: .venv/installed

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@

demo: install
	rm -rf $(DEMO)/run $(DEMO)/exports
	$(BIN)/tfds build tfds_ctcov19/phantom --config ct --data_dir $(DEMO)/data
	$(BIN)/python train.py deep_ct_net_tiny --data-dir $(DEMO)/data --run-dir $(DEMO)/run
	$(BIN)/ctcov evaluate $(DEMO)/run
	$(BIN)/python export.py $(DEMO)/run --out $(DEMO)/exports
	@printf '\nThe images were synthetic phantoms. Research use only, not for diagnosis.\n'
	@printf '  report      %s\n' $(DEMO)/run/report.html
	@printf '  SavedModel  %s\n' $(DEMO)/exports/deep_ct_net_tiny/1
	@ls $(DEMO)/exports/*.tflite | sed 's/^/  TFLite      /'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

clean:
	rm -rf .venv $(DEMO) build *.egg-info
