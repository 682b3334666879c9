"""Tests: with keys that open nothing else."""

from tests.keys import use_test_keys

use_test_keys()
