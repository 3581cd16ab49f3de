// Starts ReDoc. A file of its own, so that the page needs no inline script.
const fonts = "system-ui, 'Apple SD Gothic Neo', 'Malgun Gothic', 'Noto Sans KR', sans-serif";
Redoc.init(
  "/openapi.json",
  {
    expandResponses: "200,201",
    requiredPropsFirst: true,
    theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } },
  },
  document.getElementById("redoc"),
);
