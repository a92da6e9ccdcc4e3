"""Writing pairs in the formats that other programs read."""

from kolm_cli.capture.exporters.export import ExportReport, export

__all__ = ["ExportReport", "export"]
