"""The auditor: it reads what every context, the edge and the paper broker have recorded, and writes nothing."""
