"""Search over many documents: token vectors as a trained ReT makes them, and engines that search them."""
