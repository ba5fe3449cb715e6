"""Streaming reader for workbooks from Excel, LibreOffice and Google Sheets. Unpacking is bounded."""
