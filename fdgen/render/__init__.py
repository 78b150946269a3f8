"""From mesh to pixels: rasteriser, scene, shading, blending, compositing."""
