"""Measures of restored pictures. Each says by which protocol, or why it is not computed; none stands in for another.

`fidelity` (PSNR, SSIM, MSE) needs the clean picture, `niqe` and `brisque` need none, `learned` (LPIPS, ST-LPIPS) needs
weights that may be absent. `suite` says which of them are computed.
"""
