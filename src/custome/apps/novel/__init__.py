"""小说生成: code owns the plan and the facts, the model writes bounded passages, code checks each."""
