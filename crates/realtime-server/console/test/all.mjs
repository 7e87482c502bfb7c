import "./json.mjs";
import "./text.mjs";
import "./figures.mjs";
import "./refusal.mjs";
