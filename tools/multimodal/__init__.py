"""What tools/fetch_multimodal.py is made of."""
