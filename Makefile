# make demo: the whole way on synthetic images.  make test: style, types, layering, then every test.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo demo-ct demo-cxr test lint install clean

install: .venv/installed

.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	touch $@

# PyTorch is for the tests alone: weights imported from it are compared with it, layer by layer.
.venv/installed-torch: .venv/installed
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[torch-tests]'
	touch $@

demo: demo-ct demo-cxr
	@printf '\nThe images were synthetic phantoms. Research use only, not for diagnosis.\n'
	@printf '  %s\n' $(DEMO)/*/*.html $(DEMO)/*/card/*.html $(DEMO)/exports/*/1 $(DEMO)/exports/*.tflite

demo-ct: install
	rm -rf $(DEMO)/ct $(DEMO)/exports/deep_ct_net_tiny*
	$(BIN)/tfds build tfds_ctcov19/phantom --config ct --data_dir $(DEMO)/data
	$(BIN)/ctcov audit phantom/ct --data-dir $(DEMO)/data --out $(DEMO)/audit
	$(BIN)/python train.py deep_ct_net_tiny --data-dir $(DEMO)/data --run-dir $(DEMO)/ct
	$(BIN)/ctcov evaluate $(DEMO)/ct
	$(BIN)/ctcov card $(DEMO)/ct
	$(BIN)/python export.py $(DEMO)/ct --out $(DEMO)/exports

demo-cxr: install
	rm -rf $(DEMO)/cxr_part1 $(DEMO)/cxr_part2 $(DEMO)/cxr $(DEMO)/exports/deep_cxr_net_tiny*
	for config in cxr cxr_pneumonia cxr_covid; do \
	  $(BIN)/tfds build tfds_ctcov19/phantom --config $$config --data_dir $(DEMO)/data || exit; done
	for part in cxr_part1 cxr_part2; do \
	  $(BIN)/python train.py $${part}_tiny --data-dir $(DEMO)/data --run-dir $(DEMO)/$$part || exit; done
	$(BIN)/python train.py deep_cxr_net_tiny --data-dir $(DEMO)/data --run-dir $(DEMO)/cxr \
	  --part1 $(DEMO)/cxr_part1 --part2 $(DEMO)/cxr_part2
	$(BIN)/ctcov evaluate $(DEMO)/cxr
	$(BIN)/python export.py $(DEMO)/cxr --out $(DEMO)/exports --forms saved_model float32 int8

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

test: lint .venv/installed-torch
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

clean:
	rm -rf .venv $(DEMO) build *.egg-info
