"""Differences of pictures by channel, (C, H, W), and of fields of vectors over them, (2, C, H, W): down and right."""

from __future__ import annotations

import numpy as np

from fdtrain.evaluation.variational.hole_window import Values


def gradient(u_CHW: Values) -> Values:
    """Return differences to the next pixel down and to the right, (2, C, H, W); 0 at the last one."""
    result = np.zeros((2, *u_CHW.shape), u_CHW.dtype)
    np.subtract(u_CHW[:, 1:], u_CHW[:, :-1], out=result[0, :, :-1])
    np.subtract(u_CHW[:, :, 1:], u_CHW[:, :, :-1], out=result[1, :, :, :-1])
    return result


def divergence(g_2CHW: Values) -> Values:
    """Return the divergence of a field, minus the adjoint of `gradient`: (C, H, W)."""
    down, right = g_2CHW
    result: Values = np.zeros_like(down)
    result[:, :-1] += down[:, :-1]
    result[:, 1:] -= down[:, :-1]
    result[:, :, :-1] += right[:, :, :-1]
    result[:, :, 1:] -= right[:, :, :-1]
    return result


def length(g_2CHW: Values) -> Values:
    """Return the length of each vector."""
    lengths: Values = np.sqrt(g_2CHW[0] ** 2 + g_2CHW[1] ** 2)
    return lengths
