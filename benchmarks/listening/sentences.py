"""The sentences of the test set: the first half of each language is for tuning, the second is held out."""

from __future__ import annotations

from typing import Final

ENGLISH: Final = """\
The ferry leaves the small harbour at half past seven every morning.
No one had told the gardener that the gate would be locked.
She poured the coffee slowly and looked out at the rain.
Our tickets are waiting at the counter next to the stairs.
A thin layer of snow covered the roofs of the village.
The engineers tested the bridge with forty heavy trucks.
If you hear a short tone, please leave a message after it.
He kept all his letters in a wooden box under the bed.
The museum is closed on Mondays and on public holidays.
Turn left at the bakery and walk until you reach the river.
My grandmother used to sing while she was baking bread.
The second chapter explains why the experiment failed.
They painted the kitchen yellow because the old colour was dull.
Please fasten your seat belt and switch off your telephone.
The judge asked the witness to repeat the last answer.
Wild geese crossed the valley in a long uneven line.
We ordered two bowls of soup and a basket of fresh bread.
The orchestra stopped playing when the lights went out.
Your parcel was delivered to a neighbour at number twelve.
A good map is worth more than a fast car in the mountains.
The teacher wrote the answer on the board and smiled.
Every evening the old clock strikes nine minutes too late.
The price of the house has gone up by 15 percent since 1998.
Dr. Harris will see you on Tuesday at 10 o'clock.
Most of the water in the lake comes from melting ice.
He could not remember where he had parked the blue van.
The radio warned of heavy storms along the northern coast.
Keep the medicine in a cool and dry place, away from children.
I would rather take the early train than sleep at the airport.
The committee will publish its final report in the autumn.
Somewhere behind the barn a dog began to bark.
You can change your password at any time in the settings.
The baker opens his shop before the sun comes up.
Three boats were lying on the beach with their sails down.
She has worked at the hospital for nearly twenty years.
The library lends books, films and musical instruments.
When the bell rings, the children run into the yard.
His brother repairs bicycles in a workshop near the station.
The soup needs a little more salt and some fresh parsley.
Nothing in the letter explained why he had gone away.
The road to the castle is steep and covered with stones.
We will send you an invoice at the end of the month.
The audience laughed, but the actor did not notice it.
A cold wind came down from the hills after midnight.
Remember to water the plants on the balcony twice a week.
The pilot announced a delay of about twenty five minutes.
Her first novel was translated into eleven languages.
The farmers sell apples and honey on the market square.
Please speak slowly and give your name and your address.
The windows of the office were open all night long.
An empty bottle rolled across the deck of the ship.
They spent the whole summer building a stone wall.
The doctor told him to rest and to drink a lot of water.
The new law will come into force on the 1st of January.
Mr. Collins has been waiting in the hall since 8 o'clock.
About 350 people signed the letter to the mayor.
The lamp above the door flickers whenever a tram goes by.
Our guide knew the name of every bird in the forest.
The recipe asks for butter, but oil works just as well.
He closed the book, stood up and walked to the window."""

ITALIAN: Final = """\
Il treno per la costa parte ogni mattina alle sette e mezza.
Nessuno aveva detto al giardiniere che il cancello era chiuso.
La nonna cantava sempre mentre preparava il pane in cucina.
I biglietti vi aspettano alla cassa vicino alle scale.
Uno strato sottile di neve copriva i tetti del paese.
Il museo resta chiuso il lunedì e nei giorni di festa.
Girate a sinistra dopo la panetteria e camminate fino al fiume.
Il secondo capitolo spiega perché la prova non è riuscita.
Abbiamo ordinato due piatti di minestra e del vino rosso.
L'orchestra smise di suonare quando si spense la luce.
Il medico gli disse di riposare e di bere molta acqua.
Una buona carta vale più di una macchina veloce in montagna.
La maestra scrisse la risposta alla lavagna e sorrise.
Dietro il granaio un cane cominciò ad abbaiare forte.
La biblioteca presta libri, film e strumenti musicali.
Il vento freddo scese dalle colline dopo la mezzanotte.
Potete cambiare la vostra parola segreta in qualsiasi momento.
Il fornaio apre la bottega prima che sorga il sole.
Suo fratello ripara biciclette in una officina vicino alla stazione.
La strada per il castello è ripida e piena di sassi.
Il pubblico rideva, ma l'attore non se ne accorse.
Ricordati di bagnare le piante sul balcone due volte alla settimana.
I contadini vendono mele e miele nella piazza del mercato.
La nostra guida conosceva il nome di ogni uccello del bosco."""

CZECH: Final = """\
Loď odplouvá z malého přístavu každé ráno v půl osmé.
Nikdo neřekl zahradníkovi, že brána bude zamčená.
Babička při pečení chleba vždycky zpívala staré písně.
Vaše lístky čekají u pokladny vedle schodiště.
Tenká vrstva sněhu pokryla střechy celé vesnice.
Muzeum je v pondělí a o svátcích zavřené.
U pekárny zahněte doleva a jděte až k řece.
Druhá kapitola vysvětluje, proč se pokus nepovedl.
Objednali jsme si dvě polévky a košík čerstvého chleba.
Orchestr přestal hrát, když zhasla všechna světla.
Lékař mu řekl, aby odpočíval a pil hodně vody.
Dobrá mapa má v horách větší cenu než rychlé auto.
Učitelka napsala odpověď na tabuli a usmála se.
Někde za stodolou začal hlasitě štěkat pes.
Knihovna půjčuje knihy, filmy a hudební nástroje.
Po půlnoci přišel z kopců studený vítr.
Heslo si můžete kdykoli změnit v nastavení.
Pekař otevírá obchod dříve, než vyjde slunce.
Jeho bratr opravuje kola v dílně u nádraží.
Cesta ke hradu je strmá a plná kamení.
Diváci se smáli, ale herec si toho nevšiml.
Nezapomeň zalít květiny na balkóně dvakrát týdně.
Sedláci prodávají na náměstí jablka a med.
Náš průvodce znal jméno každého ptáka v lese."""

FINNISH: Final = """\
Laiva lähtee pienestä satamasta joka aamu puoli kahdeksalta.
Kukaan ei ollut kertonut puutarhurille, että portti on lukossa.
Mummo lauloi aina vanhoja lauluja, kun hän leipoi leipää.
Lippunne odottavat kassalla portaiden vieressä.
Ohut lumikerros peitti kylän kattoja koko talven.
Museo on suljettu maanantaisin ja pyhäpäivinä.
Kääntykää leipomon kohdalla vasemmalle ja kävelkää joelle asti.
Toinen luku selittää, miksi koe epäonnistui.
Tilasimme kaksi lautasta keittoa ja korillisen tuoretta leipää.
Orkesteri lakkasi soittamasta, kun valot sammuivat.
Lääkäri käski hänen levätä ja juoda paljon vettä.
Hyvä kartta on vuorilla arvokkaampi kuin nopea auto.
Opettaja kirjoitti vastauksen taululle ja hymyili.
Jossakin ladon takana koira alkoi haukkua.
Kirjasto lainaa kirjoja, elokuvia ja soittimia.
Kylmä tuuli tuli kukkuloilta puolenyön jälkeen.
Voitte vaihtaa salasanan asetuksista milloin tahansa.
Leipuri avaa kauppansa ennen auringon nousua.
Hänen veljensä korjaa polkupyöriä aseman lähellä.
Tie linnalle on jyrkkä ja täynnä kiviä.
Yleisö nauroi, mutta näyttelijä ei huomannut sitä.
Muista kastella parvekkeen kukat kaksi kertaa viikossa.
Maanviljelijät myyvät torilla omenoita ja hunajaa.
Oppaamme tiesi jokaisen metsän linnun nimen."""

CATALAN: Final = """\
El vaixell surt del port petit cada matí a dos quarts de vuit.
Ningú no havia dit al jardiner que la porta estaria tancada.
La meva àvia cantava sempre mentre feia el pa a la cuina.
Les entrades us esperen a la taquilla, al costat de les escales.
Una capa fina de neu cobria les teulades del poble.
El museu tanca els dilluns i els dies de festa.
Gireu a l'esquerra a la fleca i camineu fins al riu.
El segon capítol explica per què la prova va fallar.
Vam demanar dos plats de sopa i un cistell de pa fresc.
L'orquestra va deixar de tocar quan es van apagar els llums.
El metge li va dir que descansés i que begués molta aigua.
Un bon mapa val més que un cotxe ràpid a la muntanya.
La mestra va escriure la resposta a la pissarra i va somriure.
Darrere el graner un gos va començar a bordar.
La biblioteca deixa llibres, pel·lícules i instruments de música.
Un vent fred va baixar dels turons després de mitjanit.
Podeu canviar la contrasenya en qualsevol moment.
El forner obre la botiga abans que surti el sol.
El seu germà arregla bicicletes en un taller prop de l'estació.
El camí del castell és molt dret i ple de pedres.
El públic reia, però l'actor no se'n va adonar.
Recorda't de regar les plantes del balcó dos cops per setmana.
Els pagesos venen pomes i mel a la plaça del mercat.
La nostra guia sabia el nom de cada ocell del bosc."""

HINDI: Final = """\
छोटे बंदरगाह से नाव हर सुबह साढ़े सात बजे चलती है।
किसी ने माली को नहीं बताया कि फाटक बंद रहेगा।
मेरी दादी रोटी बनाते समय पुराने गीत गाती थी।
आपके टिकट सीढ़ियों के पास खिड़की पर रखे हैं।
गाँव की छतों पर बर्फ की पतली परत जम गई थी।
संग्रहालय सोमवार और छुट्टी के दिन बंद रहता है।
दुकान के पास बाएँ मुड़िए और नदी तक चलिए।
दूसरा अध्याय बताता है कि प्रयोग क्यों विफल हुआ।
हमने दो कटोरी दाल और ताज़ी रोटी मँगवाई।
जब बत्ती चली गई तब संगीत बंद हो गया।
डॉक्टर ने उसे आराम करने और पानी पीने को कहा।
पहाड़ों में अच्छा नक्शा तेज़ गाड़ी से बेहतर है।
शिक्षक ने उत्तर तख्ते पर लिखा और मुस्कुराया।
खेत के पीछे कहीं एक कुत्ता भौंकने लगा।
पुस्तकालय किताबें और फिल्में उधार देता है।
आधी रात के बाद पहाड़ियों से ठंडी हवा आई।
आप किसी भी समय अपना नाम बदल सकते हैं।
बेकरी वाला सूरज निकलने से पहले दुकान खोलता है।
उसका भाई स्टेशन के पास साइकिल ठीक करता है।
किले का रास्ता बहुत सीधा और पत्थरों से भरा है।
लोग हँस रहे थे पर अभिनेता ने ध्यान नहीं दिया।
बालकनी के पौधों को हफ्ते में दो बार पानी देना।
किसान बाज़ार में सेब और शहद बेचते हैं।
हमारा मार्गदर्शक जंगल के हर पक्षी का नाम जानता था।"""

SENTENCES: Final = {
    "en": ENGLISH.splitlines(),
    "it": ITALIAN.splitlines(),
    "cs": CZECH.splitlines(),
    "fi": FINNISH.splitlines(),
    "ca": CATALAN.splitlines(),
    "hi": HINDI.splitlines(),
}
