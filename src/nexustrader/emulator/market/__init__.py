"""The markets of an emulated venue: what moves them, what they tell, who listens."""
