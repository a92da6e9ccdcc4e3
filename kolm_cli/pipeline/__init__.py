"""The main job: what compile, eval and run do, stage after stage."""
