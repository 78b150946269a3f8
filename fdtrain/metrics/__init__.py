"""Measures of restored pictures. Each states its protocol, or why it is not computed; none replaces another.

`fidelity` (PSNR, SSIM, MSE) needs the clean picture, `niqe` and `brisque` need none, `learned` (LPIPS, ST-LPIPS) and
`identity` need weights that may be absent, `distribution` (FID, KID) many pictures too. `registry` lists them,
`suite` says which of them are computed.
"""
