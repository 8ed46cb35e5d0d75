"""What every test and every notebook kernel inherits."""

import os

# Two threads on a busy core make timings noise; this must be set before PyTorch is imported.
os.environ["OMP_NUM_THREADS"] = "1"
# The tests never download anything. To let notebook 00 fetch the ImageNet weights: HF_HUB_OFFLINE=0 make test
os.environ.setdefault("HF_HUB_OFFLINE", "1")
