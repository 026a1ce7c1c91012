"""What a learner did: attempts, answers, drafts, study days."""
