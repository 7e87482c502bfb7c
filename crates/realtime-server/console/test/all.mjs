import "./json.mjs";
import "./text.mjs";
import "./figures.mjs";
