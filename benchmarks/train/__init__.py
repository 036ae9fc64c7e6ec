"""How fast ReT trains on one core, how much memory a step takes, and how little GradCache lets it take."""
