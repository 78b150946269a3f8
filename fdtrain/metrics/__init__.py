"""Measures of restored pictures. Each says by which protocol, or why it is not computed; none stands in for another.

`fidelity` (PSNR, SSIM, MSE) needs the clean picture, `niqe` and `brisque` need none, `lpips` and `identity` need
weights that may be absent, `distribution` (FID, KID) needs many pictures.
"""
