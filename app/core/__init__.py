"""The pipeline from photo to verdict. It knows neither FastAPI nor the environment."""
