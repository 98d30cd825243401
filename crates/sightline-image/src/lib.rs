//! From a picture file to pixels to a normalised tensor, exactly as the original projects did.
