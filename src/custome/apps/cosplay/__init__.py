"""Characters one can talk to: cards, lorebooks, their own lines, scenes of several, conversations that are kept."""
