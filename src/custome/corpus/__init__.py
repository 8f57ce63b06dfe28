"""Novel text → chapters → quotations → who speaks → samples. No torch, no network, no model."""
