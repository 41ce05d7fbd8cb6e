"""What the worker does: tasks that get ids and give nothing back, and the pass that offers what is due."""
