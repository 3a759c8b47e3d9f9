"""Score: staging, entities, daily facts, measures, scoring, marts."""
