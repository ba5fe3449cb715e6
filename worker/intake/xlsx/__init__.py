"""Workbooks as Excel, LibreOffice and Google Sheets write them, read as a stream. Nothing unpacks without bound."""
