"""What training minimises, given the vectors of a batch: contrast, distillation, and what combines them."""
