"""The kernels of the flow tests."""

from tests.flow.conftest import kernels

__all__ = ["kernels"]
