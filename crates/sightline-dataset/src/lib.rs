//! Lists, ground truths and folders of pictures.
