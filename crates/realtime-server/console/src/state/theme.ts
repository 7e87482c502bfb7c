// Light or dark: as the system says, or as the person chose.
import { store } from "./store";

export type Theme = "system" | "light" | "dark";

const NAME = "realtime-console-theme";

function kept(): Theme {
  try {
    const value = localStorage.getItem(NAME);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system";
  }
}

export const theme = store<Theme>(kept());

export function applyTheme(): void {
  const chosen = theme.get();
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

export function choose(value: Theme): void {
  try {
    if (value === "system") localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, value);
  } catch {
    // It lasts as long as the page.
  }
  theme.set(value);
  applyTheme();
}
