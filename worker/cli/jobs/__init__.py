"""`ttsq jobs`: single jobs, looked at, tried again, called off."""
