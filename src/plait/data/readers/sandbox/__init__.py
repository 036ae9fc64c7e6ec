"""Reading in processes that may crash, hang or grow without harm."""
