"""How the demo's base was made: `python -m kolm_cli.demo.pretrain OUT`.

Stage 1 (`tower`) teaches the vision tower to see labels and bar lengths on charts of any style,
with no question asked. Stage 2 (`language`) teaches the merger and the language tower to answer
questions on charts of style A. The same machine and thread count give the same bytes.
"""
