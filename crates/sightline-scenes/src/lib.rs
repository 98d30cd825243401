//! Draws the procedural scenes of the demo.
